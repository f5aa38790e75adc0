import { ftruncateSync } from 'node:fs'
import { Errno } from '../errors/errno.ts'
import { invalidArgument } from '../errors/invalid-argument.ts'
import { syscallError } from '../errors/syscall-error.ts'
import { closeFd, type Fd } from '../fd.ts'
import { lastErrno, libcCalls } from '../ffi/libc.ts'
import { ownFd } from '../own-fd.ts'
import { fileError } from '../sysfs/file-error.ts'
import { type HugepageSize, hugepageBytes, hugepageFlags } from './hugepages.ts'
import { assertWholePages } from './map-pages.ts'
import { noHugepagesError } from './no-hugepages-error.ts'
import { PAGE_SIZE } from './page-size.ts'
import type { Pages } from './pages.ts'
import { mapSharedPages } from './shared-pages.ts'

const MFD_CLOEXEC = 0x1
const MFD_ALLOW_SEALING = 0x2
const MFD_HUGETLB = 0x4
const MFD_NOEXEC_SEAL = 0x8
const F_ADD_SEALS = 1033
const F_SEAL_SEAL = 0x1
const F_SEAL_SHRINK = 0x2
const F_SEAL_GROW = 0x4
// The kernel's limit is 255 with its own prefix, `memfd:`.
const LONGEST_NAME = 249

/** What a memfd shall be like. */
export interface MemfdOptions {
  /** What /proc shows it as, at most 249 bytes; `openbar` by default. Several may have the same name. */
  readonly name?: string | undefined
  /** Takes hugepages of this size from the kernel's pool. Plain pages when left out. */
  readonly hugepages?: HugepageSize | undefined
}

/** Zeroed shared memory with a file descriptor for it, of a size that nobody can change. */
export function memfdPages(size: number, options: MemfdOptions): Pages & { readonly fd: Fd<'file'> } {
  const { name = 'openbar', hugepages } = options
  const pageSize = hugepages === undefined ? PAGE_SIZE : hugepageBytes(hugepages)
  assertWholePages(size, pageSize)
  assertName(name)
  const what = `memfd '${name}' of ${size} bytes`
  const fd = createMemfd(name, hugepages, size, what)
  try {
    try {
      ftruncateSync(fd, size)
    } catch (error) {
      throw fileError('ftruncate', what, error)
    }
    seal(fd, what)
    return { address: mapSharedPages(fd, { offset: 0, size, pageSize, what }), size, pageSize, what, fd }
  } catch (error) {
    closeFd(fd)
    throw error
  }
}

function createMemfd(name: string, hugepages: HugepageSize | undefined, size: number, what: string): Fd<'file'> {
  const huge = hugepages === undefined ? 0 : MFD_HUGETLB | hugepageFlags(hugepages)
  const flags = MFD_CLOEXEC | MFD_ALLOW_SEALING | huge
  // Systems with vm.memfd_noexec=2 insist on the flag; kernels before 6.3 do not know it.
  let fd = libcCalls.memfd_create(name, flags | MFD_NOEXEC_SEAL)
  if (fd < 0 && lastErrno() === Errno.EINVAL) fd = libcCalls.memfd_create(name, flags)
  if (fd >= 0) return ownFd<'file'>(fd)
  const errno = lastErrno()
  // ENODEV: there is no such hugepage size; ENOSYS: there are no hugepages at all.
  if (hugepages !== undefined && (errno === Errno.ENODEV || errno === Errno.ENOSYS)) {
    throw noHugepagesError(size, hugepageBytes(hugepages), { syscall: 'memfd_create', errno }, undefined)
  }
  throw syscallError('memfd_create', errno, what)
}

/**
 * Fixes the size: a shorter file would be a bus error in each process that has it mapped. SEAL keeps those whom the
 * descriptor is given to from adding a seal against writing, by which the next process could no longer map it.
 */
function seal(fd: Fd<'file'>, what: string): void {
  if (libcCalls.fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) === 0) return
  throw syscallError('fcntl(F_ADD_SEALS)', lastErrno(), what)
}

function assertName(name: string): void {
  if (typeof name === 'string' && !name.includes('\0') && Buffer.byteLength(name) <= LONGEST_NAME) return
  throw invalidArgument('name', name, `at most ${LONGEST_NAME} bytes without a NUL`)
}
