import { syscallError } from './errors/syscall-error.ts'
import type { Fd, FdKind } from './fd.ts'
import { lastErrno, libcCalls } from './ffi/libc.ts'
import type { FixedStruct, StructView } from './struct.ts'

/** An ioctl request: its number, its name for messages, and the kind of fd it may be used on. */
export interface IoctlRequest<Kind extends FdKind> {
  readonly number: number
  readonly name: string
  readonly on: Kind
}

/**
 * Names an ioctl request and ties it to one kind of file descriptor.
 *
 * @example
 * ```ts
 * const VFIO_DEVICE_RESET = ioctlRequest('VFIO_DEVICE_RESET', 0x3b6f, 'device')
 * ```
 */
export function ioctlRequest<Kind extends FdKind>(name: string, number: number, on: Kind): IoctlRequest<Kind> {
  return { number, name, on }
}

/** What goes with an ioctl: a struct, raw bytes, a plain integer passed in the pointer's place, or nothing. */
export type IoctlArgument = StructView | Uint8Array | number | undefined

/**
 * Does an ioctl and answers what C would: the result, or the negated errno. Never throws for a kernel's refusal.
 *
 * @see ioctl(2)
 *
 * @example
 * ```ts
 * if (tryIoctl(container, VFIO_CHECK_EXTENSION, VFIO_TYPE1v2_IOMMU) !== 1) console.log('no type1 v2')
 * ```
 */
export function tryIoctl<Kind extends FdKind>(
  fd: Fd<NoInfer<Kind>>,
  request: IoctlRequest<Kind>,
  argument?: IoctlArgument,
): number {
  const pointer =
    argument === undefined
      ? null
      : argument instanceof Uint8Array || typeof argument === 'number'
        ? argument
        : argument.bytes
  const result = libcCalls.ioctl(fd, request.number, typeof pointer === 'number' ? BigInt(pointer) : pointer)
  return result === -1 ? -lastErrno() : result
}

/**
 * Does an ioctl.
 *
 * @param target - What the fd refers to, as it should read in an error: a path, a device's address.
 * @returns The kernel's answer, zero or positive.
 * @throws {@link OpenbarError} `ERR_SYSCALL` with the errno, the request's name and the target.
 *
 * @example
 * ```ts
 * ioctl(device, VFIO_DEVICE_RESET, undefined, '0000:00:02.0')
 * ```
 */
export function ioctl<Kind extends FdKind>(
  fd: Fd<NoInfer<Kind>>,
  request: IoctlRequest<Kind>,
  argument: IoctlArgument,
  target: string,
): number {
  const result = tryIoctl(fd, request, argument)
  if (result < 0) throw syscallError(`ioctl(${request.name})`, -result, target)
  return result
}

/**
 * Ties a request to a struct whose address never changes, and gives the call that does it on a file descriptor and answers as
 * {@link tryIoctl} does: the cheapest way to the kernel, for requests that are made over and over.
 *
 * @see ioctl(2)
 *
 * @example
 * ```ts
 * const request = vfioIommuType1DmaMap.fixed()
 * const mapDma = ioctlFixed(VFIO_IOMMU_MAP_DMA, request)
 * const result = mapDma(container)
 * ```
 */
export function ioctlFixed<Kind extends FdKind>(
  request: IoctlRequest<Kind>,
  argument: FixedStruct,
): (fd: Fd<NoInfer<Kind>>) => number {
  // V8 compiles a closure's constants into its code. What stands in a bundled module, or in an object, it loads and checks anew.
  const { ioctlAt } = libcCalls
  const { number } = request
  const { address } = argument
  return (fd) => {
    const result = ioctlAt(fd, number, address)
    return result === -1 ? -lastErrno() : result
  }
}
