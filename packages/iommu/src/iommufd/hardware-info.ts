import {
  addressOf,
  type Fd,
  IOMMU_GET_HW_INFO,
  IOMMU_HW_CAP_DIRTY_TRACKING,
  IOMMU_HW_CAP_PCI_PASID_EXEC,
  IOMMU_HW_CAP_PCI_PASID_PRIV,
  IOMMU_HW_INFO_TYPE_AMD,
  IOMMU_HW_INFO_TYPE_ARM_SMMUV3,
  IOMMU_HW_INFO_TYPE_INTEL_VTD,
  IOMMU_HW_INFO_TYPE_NONE,
  IOMMU_HW_INFO_TYPE_TEGRA241_CMDQV,
  iommuHwInfo,
  iommuHwInfoVtd,
  tryIoctl,
} from '@openbar/linux'
import { refusal } from './refusal.ts'
import { decodeVtdCapabilities, type VtdCapabilities } from './vtd-capabilities.ts'

/** What kind of IOMMU it is. `none`: the kernel's driver tells nothing of it. */
export type HardwareType = 'none' | 'intel-vtd' | 'arm-smmuv3' | 'tegra241-cmdqv' | 'amd' | 'other'

/** What the IOMMU behind a device is and has. */
export interface HardwareInfo {
  /** Whose IOMMU it is. */
  readonly type: HardwareType
  /** The kernel's number of the type, which also tells an `other` one. */
  readonly typeNumber: number
  /** The registers that the kernel tells, in the struct of the type; empty for `none`. */
  readonly bytes: Uint8Array
  /** The same decoded, for `intel-vtd`. */
  readonly vtd: VtdCapabilities | undefined
  /** Page tables can track which pages devices write. */
  readonly dirtyTracking: boolean
  /** Bits of a PASID that the device can use; 0 for none. */
  readonly pasidBits: number
  /** Requests with a PASID may ask for the right to execute. */
  readonly pasidExecute: boolean
  /** Requests with a PASID may ask for privileged mode. */
  readonly pasidPrivileged: boolean
}

const TYPES: Readonly<Record<number, HardwareType>> = {
  [IOMMU_HW_INFO_TYPE_NONE]: 'none',
  [IOMMU_HW_INFO_TYPE_INTEL_VTD]: 'intel-vtd',
  [IOMMU_HW_INFO_TYPE_ARM_SMMUV3]: 'arm-smmuv3',
  [IOMMU_HW_INFO_TYPE_TEGRA241_CMDQV]: 'tegra241-cmdqv',
  [IOMMU_HW_INFO_TYPE_AMD]: 'amd',
}

/**
 * Tells what the IOMMU behind a device is and has.
 *
 * @param deviceId - The device's number in the context, as binding it answered.
 * @throws {@link OpenbarError} `ERR_NOT_SUPPORTED` on kernels before Linux 6.6; `ERR_SYSCALL` when the context has no
 *   such device (ENOENT).
 * @see linux/iommufd.h, `struct iommu_hw_info`
 *
 * @example
 * ```ts
 * const { type, dirtyTracking } = hardwareInfo(fd, deviceId) // 'intel-vtd', false
 * ```
 */
export function hardwareInfo(fd: Fd<'iommufd'>, deviceId: number): HardwareInfo {
  // Asked twice when the registers take more than most do: the kernel fills what there is room for, and tells the whole
  // length.
  for (let capacity = 64; ; ) {
    const data = new Uint8Array(capacity)
    const info = iommuHwInfo.allocate()
    info.size = iommuHwInfo.size
    info.dev_id = deviceId
    info.data_len = capacity
    info.data_uptr = addressOf(data)
    const result = tryIoctl(fd, IOMMU_GET_HW_INFO, info)
    if (result < 0) {
      throw refusal(IOMMU_GET_HW_INFO, -result, {
        what: 'hardware information',
        target: `device ${deviceId}`,
        since: '6.6',
        hint: 'Use the number that binding the device to this very context answered.',
      })
    }
    if (info.data_len > capacity) {
      capacity = info.data_len
      continue
    }
    const bytes = data.slice(0, info.data_len)
    const has = (capability: number) => (info.out_capabilities & BigInt(capability)) !== 0n
    return {
      type: TYPES[info.out_data_type] ?? 'other',
      typeNumber: info.out_data_type,
      bytes,
      vtd: info.out_data_type === IOMMU_HW_INFO_TYPE_INTEL_VTD ? decodeVtd(bytes) : undefined,
      dirtyTracking: has(IOMMU_HW_CAP_DIRTY_TRACKING),
      pasidBits: info.out_max_pasid_log2,
      pasidExecute: has(IOMMU_HW_CAP_PCI_PASID_EXEC),
      pasidPrivileged: has(IOMMU_HW_CAP_PCI_PASID_PRIV),
    }
  }
}

function decodeVtd(bytes: Uint8Array): VtdCapabilities {
  const registers = iommuHwInfoVtd.allocate()
  registers.bytes.set(bytes.subarray(0, iommuHwInfoVtd.size))
  return decodeVtdCapabilities(registers.flags, registers.cap_reg, registers.ecap_reg)
}
