import { Errno, type Fd, IOMMU_DESTROY, iommuDestroy, OpenbarError, syscallError, tryIoctl } from '@openbar/linux'

const SYSCALL = 'ioctl(IOMMU_DESTROY)'

/**
 * Gives an object of an iommufd context back to the kernel.
 *
 * @param what - The object as it should read in an error: `page table 7`.
 * @param holders - What may hold it, asked when the kernel says that something does.
 * @throws {@link OpenbarError} `ERR_DOMAIN_STATE` while it is in use, naming what holds it; `ERR_SYSCALL`.
 */
export function destroyObject(fd: Fd<'iommufd'>, id: number, what: string, holders: () => string): void {
  const destroy = iommuDestroy.allocate()
  destroy.size = iommuDestroy.size
  destroy.id = id
  const result = tryIoctl(fd, IOMMU_DESTROY, destroy)
  if (result >= 0) return
  if (result === -Errno.EBUSY) throw inUseError(what, holders(), { errno: Errno.EBUSY, syscall: SYSCALL })
  throw syscallError(SYSCALL, -result, what)
}

/** The error for an object that cannot be closed yet. */
export function inUseError(
  what: string,
  holders: string,
  system: { readonly errno?: number; readonly syscall?: string } = {},
): OpenbarError<'ERR_DOMAIN_STATE'> {
  return new OpenbarError('ERR_DOMAIN_STATE', {
    message: `${what[0]?.toUpperCase()}${what.slice(1)} cannot be closed: it is in use by ${holders}.`,
    hint: 'Close or detach what uses it first.',
    context: { state: `in use by ${holders}` },
    ...system,
  })
}
