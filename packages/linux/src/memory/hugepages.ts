import { invalidArgument } from '../errors/invalid-argument.ts'
import { readNumber } from '../sysfs/read-number.ts'
import { readText } from '../sysfs/read-text.ts'

/** The sizes of hugepages that x86-64 has. */
export type HugepageSize = '2MiB' | '1GiB'

/** The kernel's pool of hugepages of one size, in pages. */
export interface HugepageCount {
  readonly total: number
  /** Not in use. Of these, {@link HugepageCount.reserved} are promised to mappings already. */
  readonly free: number
  readonly reserved: number
}

// The logarithm of the size, in the bits that mmap(2) and memfd_create(2) have for it.
const SIZE_SHIFT = 26
const LOGARITHMS = { '2MiB': 21, '1GiB': 30 } as const satisfies Record<HugepageSize, number>

/**
 * From Linux 6.9 on the count goes below zero, and shows as nearly 2^64, while a device still has a private hugepage
 * pinned that the program has unmapped.
 */
const UNDERFLOWN = /^18446744073709\d{6}$/

/**
 * The size of a hugepage in bytes.
 *
 * @throws {@link OpenbarError} `ERR_INVALID_ARGUMENT` for any other size.
 *
 * @example
 * ```ts
 * hugepageBytes('2MiB') // 2097152
 * ```
 */
export function hugepageBytes(size: HugepageSize): number {
  if (!Object.hasOwn(LOGARITHMS, size)) throw invalidArgument('hugepages', size, "'2MiB' or '1GiB'")
  return 2 ** LOGARITHMS[size]
}

/** The size of a hugepage as a part of the flags of `mmap(2)` (MAP_HUGE_2MB) and `memfd_create(2)` (MFD_HUGE_2MB). */
export function hugepageFlags(size: HugepageSize): number {
  return LOGARITHMS[size] << SIZE_SHIFT
}

/**
 * How many hugepages of a size the kernel has, and how many are free.
 *
 * @param size - Bytes of one hugepage: 2 MiB or 1 GiB.
 * @param root - Where sysfs has the pools; elsewhere in tests.
 * @returns The counts, or `undefined` where the kernel or the processor has no hugepages of that size.
 * @throws {@link OpenbarError} `ERR_SYSCALL` when sysfs cannot be read.
 * @see /sys/kernel/mm/hugepages, Documentation/admin-guide/mm/hugetlbpage.rst
 *
 * @example
 * ```ts
 * const pool = hugepages(2 * 1024 * 1024)
 * console.log(pool ? pool.free - pool.reserved : 'none')
 * ```
 */
export function hugepages(size: number, root = '/sys/kernel/mm/hugepages'): HugepageCount | undefined {
  const directory = poolDirectory(size, root)
  const total = readNumber(`${directory}/nr_hugepages`)
  const free = readNumber(`${directory}/free_hugepages`)
  const path = `${directory}/resv_hugepages`
  const reserved = UNDERFLOWN.test(readText(path) ?? '') ? 0 : readNumber(path)
  if (total === undefined || free === undefined || reserved === undefined) return undefined
  return { total, free, reserved }
}

/** Where sysfs has the pool of hugepages of a size in bytes. */
export function poolDirectory(size: number, root = '/sys/kernel/mm/hugepages'): string {
  return `${root}/hugepages-${size / 1024}kB`
}
