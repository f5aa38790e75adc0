import { OpenbarError } from '../errors/openbar-error.ts'
import { type HugepageCount, hugepageBytes, poolDirectory } from './hugepages.ts'

/** How the kernel refused: which call, and with which errno. */
export interface Refusal {
  readonly syscall: string
  readonly errno: number
}

/**
 * The error for hugepages that could not be had, with the way to get them.
 *
 * @param size - Bytes that were asked for.
 * @param pageSize - Bytes of one hugepage.
 * @param pool - What the kernel has of them.
 */
export function noHugepagesError(
  size: number,
  pageSize: number,
  refusal: Refusal,
  pool: HugepageCount | undefined,
): OpenbarError<'ERR_NO_HUGEPAGES'> {
  const need = size / pageSize
  const free = pool && pool.free - pool.reserved
  const wanted = `${need} hugepage${need === 1 ? '' : 's'} of ${name(pageSize)}`
  return new OpenbarError('ERR_NO_HUGEPAGES', {
    ...explain(wanted, need, pageSize, pool),
    context: { pageSize, need, free, total: pool?.total },
    ...refusal,
  })
}

function explain(wanted: string, need: number, pageSize: number, pool: HugepageCount | undefined) {
  if (pool === undefined) {
    return {
      message: `${wanted} cannot be had: this system has no hugepages of that size.`,
      hint:
        pageSize === hugepageBytes('1GiB')
          ? 'The processor must have pdpe1gb among its flags in /proc/cpuinfo; use 2 MiB hugepages where it has not.'
          : 'The kernel must be built with CONFIG_HUGETLBFS; use memory of plain pages where it is not.',
    }
  }
  const free = pool.free - pool.reserved
  if (free >= need) {
    return {
      message: `${wanted} cannot be had, although ${free} of ${pool.total} are free: a limit stands in the way.`,
      hint: `Raise the limit of the cgroup (hugetlb.${pageSize / 1024 ** 2}MB.max), of the hugetlbfs mount (size=), of the NUMA policy or of the address space (ulimit -v).`,
    }
  }
  return {
    message: `${wanted} cannot be had: ${free} of ${pool.total} are free.`,
    hint: howToReserve(pageSize, pool.total + need - free),
  }
}

function howToReserve(pageSize: number, count: number): string {
  const write = `echo ${count} > ${poolDirectory(pageSize)}/nr_hugepages`
  return pageSize === hugepageBytes('1GiB')
    ? `Reserve them as root: ${write}; or, when too little memory is in one piece for that, boot with hugepagesz=1G hugepages=${count}.`
    : `Reserve them as root: sysctl vm.nr_hugepages=${count}, or ${write}.`
}

function name(pageSize: number): string {
  return pageSize >= 1024 ** 3 ? `${pageSize / 1024 ** 3} GiB` : `${pageSize / 1024 ** 2} MiB`
}
