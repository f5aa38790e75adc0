import { Errno, errnoName, type IoctlRequest, OpenbarError, syscallError } from '@openbar/linux'

/** What was asked for, as it should read in an error. */
export interface Asked {
  /** The thing, after "has no": `a page table with dirty tracking`. */
  readonly what: string
  /** What it was asked of: `device 3`, `page table 7`. */
  readonly target: string
  /** The Linux release that brought it: `6.7`. */
  readonly since: string
  /** What to do about a refusal that has no better explanation. */
  readonly hint?: string
}

/**
 * What the kernel's refusal of an iommufd request means. Its rules for error numbers tell whether the request, a field
 * of it, or the hardware for it is missing.
 *
 * @see linux/iommufd.h, "General ioctl format"
 */
export function refusal(request: IoctlRequest<'iommufd'>, errno: number, asked: Asked): OpenbarError {
  const syscall = `ioctl(${request.name})`
  const { what, target, since, hint } = asked
  const system = { errno, syscall }
  switch (errno) {
    case Errno.ENOTTY:
    case Errno.E2BIG:
      return new OpenbarError('ERR_NOT_SUPPORTED', {
        message: `This kernel has no ${what}: ${errno === Errno.ENOTTY ? `it does not know ${request.name}` : `its ${request.name} is an older one`}.`,
        hint: `It came with Linux ${since}.`,
        context: { what },
        ...system,
      })
    case Errno.EOPNOTSUPP:
      return new OpenbarError('ERR_NOT_SUPPORTED', {
        message: `The IOMMU of ${target}, or this kernel's driver for it, has no ${what} (${errnoName(errno)}).`,
        hint: 'hardwareInfo() tells what the IOMMU has; do without it here.',
        context: { what },
        ...system,
      })
    default:
      return syscallError(syscall, errno, target, hint)
  }
}
