import {
  Errno,
  type Fd,
  invalidArgument,
  OpenbarError,
  syscallError,
  tryIoctl,
  VFIO_DEVICE_IOEVENTFD,
  VFIO_DEVICE_IOEVENTFD_8,
  VFIO_DEVICE_IOEVENTFD_16,
  VFIO_DEVICE_IOEVENTFD_32,
  VFIO_DEVICE_IOEVENTFD_64,
  vfioDeviceIoeventfd,
} from '@openbar/linux'
import { readBar } from '../region/read-bar.ts'

/** Which write an eventfd makes. */
export interface IoEventOptions {
  /** The BAR, 0 to 5. */
  readonly region: number
  /** Bytes from the BAR's start; a multiple of the width. */
  readonly offset: number
  /** Bits that are written at once. */
  readonly width: 8 | 16 | 32 | 64
  /** What is written. */
  readonly value: number | bigint
}

/** A write that was checked. */
export interface IoEvent {
  readonly flag: number
  readonly fileOffset: bigint
  readonly data: bigint
  readonly address: string
  readonly region: string
  /** As errors name it. */
  readonly what: string
}

const WIDTHS: Readonly<Record<number, number>> = {
  8: VFIO_DEVICE_IOEVENTFD_8,
  16: VFIO_DEVICE_IOEVENTFD_16,
  32: VFIO_DEVICE_IOEVENTFD_32,
  64: VFIO_DEVICE_IOEVENTFD_64,
}

/**
 * Checks a write that an eventfd shall make.
 *
 * @throws {@link OpenbarError} `ERR_INVALID_ARGUMENT`, `ERR_REGION`, `ERR_OUT_OF_BOUNDS`, `ERR_MISALIGNED`.
 */
export function parseIoEvent(fd: Fd<'device'>, address: string, options: IoEventOptions): IoEvent {
  const { region, offset, width } = options
  const flag = WIDTHS[width]
  if (flag === undefined) throw invalidArgument('width', width, '8, 16, 32 or 64 bits')
  const info = readBar(fd, region, address)
  if (!Number.isInteger(offset)) throw invalidArgument('offset', offset, 'a whole number of bytes')
  const data = parseValue(options.value, width)
  const name = `BAR ${region}`
  if (info.size === 0) {
    throw new OpenbarError('ERR_REGION', {
      message: `${address} has no ${name}.`,
      context: { address, region: name },
    })
  }
  const bytes = width / 8
  const what = `${address}, ${name}, offset 0x${Math.max(0, offset).toString(16)}`
  if (offset < 0 || offset + bytes > info.size) {
    throw new OpenbarError('ERR_OUT_OF_BOUNDS', {
      message: `${address}, ${name}: a write of ${bytes} bytes at offset ${offset} lies outside its ${info.size} bytes.`,
      context: { offset, width: bytes, size: info.size },
    })
  }
  if (offset % bytes !== 0) {
    throw new OpenbarError('ERR_MISALIGNED', {
      message: `${what}: a write of ${bytes} bytes is not aligned there.`,
      context: { offset, width: bytes },
    })
  }
  return { flag, fileOffset: BigInt(info.fileOffset + offset), data, address, region: name, what }
}

/** Ties the write to an eventfd; -1 takes it away. Answers as the ioctl does. */
export function requestIoEvent(fd: Fd<'device'>, { flag, fileOffset, data }: IoEvent, eventfd: number): number {
  const request = vfioDeviceIoeventfd.allocate()
  request.argsz = vfioDeviceIoeventfd.size
  request.flags = flag
  request.offset = fileOffset
  request.data = data
  request.fd = eventfd
  return tryIoctl(fd, VFIO_DEVICE_IOEVENTFD, request)
}

/** What the kernel's refusal means. */
export function ioEventError({ address, region, what }: IoEvent, errno: number): OpenbarError {
  const problem: Readonly<Record<number, string>> = {
    [Errno.EEXIST]: 'has an ioeventfd for the same value and width already.',
    [Errno.EINVAL]:
      'cannot be written by an eventfd: it is in the MSI-X table, or the kernel makes no writes of that width.',
    [Errno.ENOTTY]: 'cannot be written by an eventfd: the VFIO driver of the device does not do that.',
    [Errno.ENOSPC]:
      'cannot be written by an eventfd: the device has as many of them as the kernel allows, which is 1,000.',
  }
  const text = problem[errno]
  if (text === undefined) return syscallError('ioctl(VFIO_DEVICE_IOEVENTFD)', errno, what)
  return new OpenbarError('ERR_REGION', {
    message: `${what} ${text}`,
    context: { address, region },
    errno,
    syscall: 'ioctl(VFIO_DEVICE_IOEVENTFD)',
  })
}

function parseValue(value: number | bigint, width: number): bigint {
  const whole = typeof value === 'bigint' || Number.isSafeInteger(value) ? BigInt(value) : undefined
  if (whole !== undefined && whole >= 0n && whole < 1n << BigInt(width)) return whole
  throw invalidArgument('value', value, `a whole number of ${width} bits`)
}
