import { Errno } from '../errors/errno.ts'
import { OpenbarError } from '../errors/openbar-error.ts'
import { syscallError } from '../errors/syscall-error.ts'
import type { HugepageCount } from './hugepages.ts'
import { noHugepagesError } from './no-hugepages-error.ts'
import { PAGE_SIZE } from './page-size.ts'
import type { Pages } from './pages.ts'

/**
 * What it means that pages could not be made present.
 *
 * @param pool - What the kernel had of hugepages before: at the time of the error some of them may be taken.
 */
export function populateError(
  errno: number,
  { size, pageSize, what }: Omit<Pages, 'address'>,
  pool: HugepageCount | undefined,
): OpenbarError {
  const refusal = { syscall: 'madvise(MADV_POPULATE_WRITE)', errno }
  if (errno === Errno.EINVAL) {
    return new OpenbarError('ERR_NOT_SUPPORTED', {
      message: `${what} cannot be mapped without the risk of a bus error: this kernel has no MADV_POPULATE_WRITE.`,
      hint: 'Linux 5.14 or newer has it.',
      context: { what: 'MADV_POPULATE_WRITE' },
      ...refusal,
    })
  }
  if (errno !== Errno.EFAULT) return syscallError(refusal.syscall, errno, what)
  if (pageSize !== PAGE_SIZE) return noHugepagesError(size, pageSize, refusal, pool)
  const hint = 'Its file system is full (df shows it), or somebody has made the file shorter.'
  return syscallError(refusal.syscall, errno, what, hint)
}
