import {
  Errno,
  type Fd,
  IOMMU_OPTION,
  IOMMU_OPTION_HUGE_PAGES,
  IOMMU_OPTION_OP_GET,
  IOMMU_OPTION_OP_SET,
  IOMMU_OPTION_RLIMIT_MODE,
  invalidArgument,
  iommuOption,
  OpenbarError,
  tryIoctl,
} from '@openbar/linux'
import type { IommufdAddressSpace } from './address-space.ts'
import { refusal } from './refusal.ts'

/** Whose pinned memory counts against RLIMIT_MEMLOCK: all of the user's, or this process's. */
export type RlimitMode = 'user' | 'process'

const SYSCALL = 'ioctl(IOMMU_OPTION)'

/**
 * Reads how a context counts pinned memory against RLIMIT_MEMLOCK; `user` at first.
 *
 * @throws {@link OpenbarError} `ERR_NOT_SUPPORTED`, `ERR_SYSCALL`.
 * @see linux/iommufd.h, `IOMMU_OPTION_RLIMIT_MODE`
 *
 * @example
 * ```ts
 * rlimitMode(fd) // 'user'
 * ```
 */
export function rlimitMode(fd: Fd<'iommufd'>): RlimitMode {
  return getOption(fd, IOMMU_OPTION_RLIMIT_MODE, 0) === 0n ? 'user' : 'process'
}

/**
 * Chooses how a context counts pinned memory against RLIMIT_MEMLOCK. Only for a context that has no object yet.
 *
 * @throws {@link OpenbarError} `ERR_PERMISSION` without CAP_SYS_RESOURCE; `ERR_DOMAIN_STATE` when the context has
 *   objects; `ERR_INVALID_ARGUMENT`, `ERR_NOT_SUPPORTED`.
 *
 * @example
 * ```ts
 * setRlimitMode(fd, 'process')
 * ```
 */
export function setRlimitMode(fd: Fd<'iommufd'>, mode: RlimitMode): void {
  if (mode !== 'user' && mode !== 'process') throw invalidArgument('mode', mode, "'user' or 'process'")
  const errno = setOption(fd, IOMMU_OPTION_RLIMIT_MODE, 0, mode === 'user' ? 0n : 1n)
  if (errno === 0) return
  if (errno === Errno.EPERM) {
    throw new OpenbarError('ERR_PERMISSION', {
      message: 'This process may not choose how pinned memory is counted.',
      hint: 'Give it CAP_SYS_RESOURCE, or leave the mode as it is.',
      context: { target: '/dev/iommu' },
      errno,
      syscall: SYSCALL,
    })
  }
  if (errno === Errno.EBUSY) throw stateError('the context has objects already', 'Choose the mode first.', errno)
  throw refusal(IOMMU_OPTION, errno, { what: 'choice of the RLIMIT_MEMLOCK mode', target: '/dev/iommu', since: '6.2' })
}

/**
 * Reads whether an address space's page tables use pages larger than 4 KiB where memory is contiguous; `true` at first.
 *
 * @throws {@link OpenbarError} `ERR_NOT_SUPPORTED`, `ERR_SYSCALL`.
 * @see linux/iommufd.h, `IOMMU_OPTION_HUGE_PAGES`
 *
 * @example
 * ```ts
 * hugePages(space) // true
 * ```
 */
export function hugePages({ fd, ioas }: IommufdAddressSpace): boolean {
  return getOption(fd, IOMMU_OPTION_HUGE_PAGES, ioas) !== 0n
}

/**
 * Chooses whether an address space's page tables use large pages. Without them, dirty tracking is as fine as 4 KiB.
 *
 * @throws {@link OpenbarError} `ERR_DOMAIN_STATE` when they are switched off while something is mapped for a device, or
 *   a mapping is not aligned to 4 KiB; `ERR_NOT_SUPPORTED`, `ERR_SYSCALL`.
 *
 * @example
 * ```ts
 * setHugePages(space, false)
 * ```
 */
export function setHugePages({ fd, ioas }: IommufdAddressSpace, on: boolean): void {
  const errno = setOption(fd, IOMMU_OPTION_HUGE_PAGES, ioas, on ? 1n : 0n)
  if (errno === 0) return
  const hint = 'Choose before memory is mapped and devices join.'
  if (errno === Errno.EINVAL) throw stateError('memory is mapped for its devices already', hint, errno)
  if (errno === Errno.EADDRINUSE) throw stateError('a mapping is not aligned to whole pages', hint, errno)
  throw refusal(IOMMU_OPTION, errno, { what: 'choice of large pages', target: `address space ${ioas}`, since: '6.2' })
}

function getOption(fd: Fd<'iommufd'>, option: number, object: number): bigint {
  const command = prepare(IOMMU_OPTION_OP_GET, option, object)
  const result = tryIoctl(fd, IOMMU_OPTION, command)
  if (result >= 0) return command.val64
  const target = object === 0 ? '/dev/iommu' : `address space ${object}`
  throw refusal(IOMMU_OPTION, -result, { what: 'such option', target, since: '6.2' })
}

/** @returns The errno, 0 for success. */
function setOption(fd: Fd<'iommufd'>, option: number, object: number, value: bigint): number {
  const command = prepare(IOMMU_OPTION_OP_SET, option, object)
  command.val64 = value
  return Math.max(-tryIoctl(fd, IOMMU_OPTION, command), 0)
}

function prepare(operation: number, option: number, object: number) {
  const command = iommuOption.allocate()
  command.size = iommuOption.size
  command.option_id = option
  command.op = operation
  command.object_id = object
  return command
}

function stateError(state: string, hint: string, errno: number): OpenbarError<'ERR_DOMAIN_STATE'> {
  return new OpenbarError('ERR_DOMAIN_STATE', {
    message: `The option cannot be changed now: ${state}.`,
    hint,
    context: { state },
    errno,
    syscall: SYSCALL,
  })
}
