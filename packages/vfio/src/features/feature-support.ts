import {
  type Fd,
  VFIO_DEVICE_FEATURE_BUS_MASTER,
  VFIO_DEVICE_FEATURE_DMA_BUF,
  VFIO_DEVICE_FEATURE_DMA_LOGGING_REPORT,
  VFIO_DEVICE_FEATURE_DMA_LOGGING_START,
  VFIO_DEVICE_FEATURE_DMA_LOGGING_STOP,
  VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY,
  VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY_WITH_WAKEUP,
  VFIO_DEVICE_FEATURE_LOW_POWER_EXIT,
  VFIO_DEVICE_FEATURE_MIG_DATA_SIZE,
  VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE,
  VFIO_DEVICE_FEATURE_MIGRATION,
  VFIO_DEVICE_FEATURE_PCI_VF_TOKEN,
} from '@openbar/linux'
import { hasFeature } from './device-feature.ts'

const NUMBERS = {
  vfToken: VFIO_DEVICE_FEATURE_PCI_VF_TOKEN,
  migration: VFIO_DEVICE_FEATURE_MIGRATION,
  migrationState: VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE,
  lowPowerEntry: VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY,
  lowPowerEntryWithWakeUp: VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY_WITH_WAKEUP,
  lowPowerExit: VFIO_DEVICE_FEATURE_LOW_POWER_EXIT,
  dmaLoggingStart: VFIO_DEVICE_FEATURE_DMA_LOGGING_START,
  dmaLoggingStop: VFIO_DEVICE_FEATURE_DMA_LOGGING_STOP,
  dmaLoggingReport: VFIO_DEVICE_FEATURE_DMA_LOGGING_REPORT,
  migrationDataSize: VFIO_DEVICE_FEATURE_MIG_DATA_SIZE,
  busMaster: VFIO_DEVICE_FEATURE_BUS_MASTER,
  dmaBuf: VFIO_DEVICE_FEATURE_DMA_BUF,
} as const

/** The features of `linux/vfio.h`, by the names that this package has for them. */
export type FeatureName = keyof typeof NUMBERS

/** What the kernel lets be done with a feature; neither, when the device does not have it. */
export interface FeatureSupport {
  /** Whether it can be read. */
  readonly get: boolean
  /** Whether it can be set. */
  readonly set: boolean
}

/**
 * Probes every feature that is known, which changes nothing.
 *
 * @see linux/vfio.h, `VFIO_DEVICE_FEATURE_PROBE`
 */
export function readFeatures(fd: Fd<'device'>, address: string): Readonly<Record<FeatureName, FeatureSupport>> {
  const support = Object.entries(NUMBERS).map(([name, number]) => [
    name,
    { get: hasFeature(fd, number, 'get', address), set: hasFeature(fd, number, 'set', address) },
  ])
  return Object.fromEntries(support) as Record<FeatureName, FeatureSupport>
}
