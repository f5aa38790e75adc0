import { syscallError } from './errors/syscall-error.ts'
import type { Fd, FdKind } from './fd.ts'
import { type IoctlRequest, tryIoctl } from './ioctl.ts'
import type { FieldLayout, Struct, StructView } from './struct.ts'

type InfoFields = Record<string, FieldLayout> & { readonly argsz: readonly ['u32', 0] }

/**
 * Does a VFIO INFO ioctl, and does it again with a larger buffer when the kernel has more to say.
 *
 * A short buffer is no error to the kernel: it raises `argsz` and leaves the capabilities out.
 *
 * @param prepare - Fills the fields that select what is asked for, such as `index`; called before each try.
 * @returns The struct with its capabilities behind it, or the negated errno.
 * @see linux/vfio.h: `argsz` of the INFO structs
 *
 * @example
 * ```ts
 * const info = tryQueryInfo(device, VFIO_DEVICE_GET_REGION_INFO, vfioRegionInfo, (info) => { info.index = 0 })
 * ```
 */
export function tryQueryInfo<Kind extends FdKind, Fields extends InfoFields>(
  fd: Fd<NoInfer<Kind>>,
  request: IoctlRequest<Kind>,
  struct: Struct<Fields>,
  prepare: (info: StructView<Fields>) => void = () => {},
): StructView<Fields> | number {
  let size = struct.size
  for (;;) {
    const info = struct.allocate(size - struct.size)
    prepare(info)
    info.view.setUint32(0, size, true)
    const result = tryIoctl(fd, request, info.bytes)
    if (result < 0) return result
    const wanted = info.view.getUint32(0, true)
    if (wanted <= size) return info
    size = wanted
  }
}

/**
 * {@link tryQueryInfo}, with an error for a refusal.
 *
 * @throws {@link OpenbarError} `ERR_SYSCALL` with the errno, the request's name and the target.
 *
 * @example
 * ```ts
 * const info = queryInfo(device, VFIO_DEVICE_GET_INFO, vfioDeviceInfo, '0000:00:02.0')
 * ```
 */
export function queryInfo<Kind extends FdKind, Fields extends InfoFields>(
  fd: Fd<NoInfer<Kind>>,
  request: IoctlRequest<Kind>,
  struct: Struct<Fields>,
  target: string,
  prepare?: (info: StructView<Fields>) => void,
): StructView<Fields> {
  const info = tryQueryInfo(fd, request, struct, prepare)
  if (typeof info === 'number') throw syscallError(`ioctl(${request.name})`, -info, target)
  return info
}
