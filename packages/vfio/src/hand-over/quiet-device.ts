import {
  type Fd,
  preadExactly,
  pwriteExactly,
  tryIoctl,
  VFIO_DEVICE_RESET,
  VFIO_PCI_CONFIG_REGION_INDEX,
  VFIO_PCI_REQ_IRQ_INDEX,
} from '@openbar/linux'
import { readDeviceInfo } from '../device/device-info.ts'
import { disableVectors } from '../interrupts/set-irqs.ts'
import { readRegionInfo } from '../region/region-info.ts'

const COMMAND = 0x04
const BUS_MASTER = 1 << 2

/**
 * Stops a device that another process drove: its DMA, its interrupts, and whatever else it does, by a reset. Each step is taken whatever
 * becomes of the others.
 *
 * @throws {@link OpenbarError} `ERR_SYSCALL`, as for a device that was removed meanwhile.
 */
export function quietDevice(fd: Fd<'device'>, address: string): void {
  using steps = new DisposableStack()
  // From the last to the first.
  steps.defer(() => {
    if (readDeviceInfo(fd, address).resettable) tryIoctl(fd, VFIO_DEVICE_RESET)
  })
  steps.defer(() => {
    for (let index = 0; index <= VFIO_PCI_REQ_IRQ_INDEX; index += 1) disableVectors(fd, index)
  })
  steps.defer(() => stopDma(fd, address))
}

function stopDma(fd: Fd<'device'>, address: string): void {
  const { fileOffset } = readRegionInfo(fd, VFIO_PCI_CONFIG_REGION_INDEX, address)
  const command = new DataView(new ArrayBuffer(2))
  preadExactly(fd, command, fileOffset + COMMAND, `${address}, config space`)
  command.setUint16(0, command.getUint16(0, true) & ~BUS_MASTER, true)
  pwriteExactly(fd, command, fileOffset + COMMAND, `${address}, config space`)
}
