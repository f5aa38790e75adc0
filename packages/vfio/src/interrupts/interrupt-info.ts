import {
  Errno,
  type Fd,
  invalidArgument,
  syscallError,
  tryIoctl,
  VFIO_DEVICE_GET_IRQ_INFO,
  VFIO_IRQ_INFO_MASKABLE,
  VFIO_IRQ_INFO_NORESIZE,
  vfioIrqInfo,
} from '@openbar/linux'
import { INTERRUPT_INDEX, type InterruptKind, type SignalKind } from './interrupt-kind.ts'

/** What a device has of one kind of interrupt. */
export interface InterruptInfo {
  /** Vectors; 0 when it has none of this kind. */
  readonly count: number
  /** Whether single vectors can be masked; only INTx can. */
  readonly maskable: boolean
  /** Whether the kernel adds vectors while others are on; elsewhere they come out of what was reserved. */
  readonly resizable: boolean
}

const NONE: InterruptInfo = { count: 0, maskable: false, resizable: false }

/**
 * Asks the kernel what a device has of a kind.
 *
 * @throws {@link OpenbarError} `ERR_INVALID_ARGUMENT` for another kind; `ERR_SYSCALL`.
 * @see linux/vfio.h, `struct vfio_irq_info`
 */
export function readInterruptInfo(fd: Fd<'device'>, kind: InterruptKind | SignalKind, address: string): InterruptInfo {
  if (!Object.hasOwn(INTERRUPT_INDEX, kind))
    throw invalidArgument('kind', kind, "'intx', 'msi', 'msix', 'err' or 'req'")
  const info = vfioIrqInfo.allocate()
  info.argsz = vfioIrqInfo.size
  info.index = INTERRUPT_INDEX[kind]
  const result = tryIoctl(fd, VFIO_DEVICE_GET_IRQ_INFO, info)
  if (result === -Errno.EINVAL) return NONE
  if (result < 0) throw syscallError('ioctl(VFIO_DEVICE_GET_IRQ_INFO)', -result, address)
  return {
    count: info.count,
    maskable: (info.flags & VFIO_IRQ_INFO_MASKABLE) !== 0,
    // The kernel gives this of all kinds but INTx, of which there is one in any case.
    resizable: kind === 'msix' && (info.flags & VFIO_IRQ_INFO_NORESIZE) === 0,
  }
}
