import { Errno, lockedMemory, OpenbarError, readNumber, syscallError } from '@openbar/linux'
import { formatRange } from '../iova.ts'
import type { MappingRequest } from './backend.ts'

/** What the kernel's refusal of a mapping means, on every backend. */
export function mapError(syscall: string, errno: number, request: MappingRequest): OpenbarError {
  const iova = BigInt(request.start)
  const size = BigInt(request.size)
  const range = formatRange(iova, size)
  const system = { errno, syscall }
  switch (errno) {
    case Errno.EEXIST:
      return new OpenbarError('ERR_IOVA_IN_USE', {
        message: `${range} cannot be mapped: part of it is mapped already.`,
        hint: 'Choose another IOVA, or unmap what is there.',
        context: { iova, size },
        ...system,
      })
    case Errno.ENOMEM:
      return memlockError(`at ${range}`, size, system)
    case Errno.ENOSPC:
      return new OpenbarError('ERR_MAPPING_LIMIT', {
        message: `${range} cannot be mapped: the container holds as many mappings as the kernel allows, ${entryLimit()}.`,
        hint: 'Map fewer, larger pieces of memory; or raise the limit: modprobe vfio_iommu_type1 dma_entry_limit=<n>, which holds for containers that are opened afterwards.',
        context: { limit: entryLimit() },
        ...system,
      })
    case Errno.EFAULT:
      return new OpenbarError('ERR_MEMORY_KIND', {
        message: `${range} cannot be mapped: the kernel cannot pin the memory behind it.`,
        hint: 'Use memory from allocate(), or anonymous memory, memfd or tmpfs that is mapped readable and writable.',
        context: { kind: 'unpinnable' },
        ...system,
      })
    default:
      return syscallError(syscall, errno, range)
  }
}

/** How many mappings a type1 container takes (vfio_iommu_type1.c: a module parameter). */
function entryLimit(): number {
  return readNumber('/sys/module/vfio_iommu_type1/parameters/dma_entry_limit') ?? 65_535
}

/** The error for memory that may not be pinned, saying what is needed, what is allowed, and how to raise that. */
export function memlockError(
  where: string,
  size: bigint,
  system: { readonly errno: number; readonly syscall: string; readonly cause?: unknown },
): OpenbarError<'ERR_MEMLOCK'> {
  const { locked, pinned, limit } = lockedMemory()
  const used = [locked, pinned].reduce((a, b) => (a > b ? a : b))
  const text =
    limit === undefined
      ? 'RLIMIT_MEMLOCK is unlimited, so the system itself is out of memory.'
      : `RLIMIT_MEMLOCK allows ${limit} bytes, of which ${used} are in use.`
  return new OpenbarError('ERR_MEMLOCK', {
    message: `${size} bytes ${where} cannot be pinned: ${text}`,
    hint:
      limit === undefined
        ? 'Map less, or free memory.'
        : 'Raise the limit (ulimit -l unlimited, or memlock in /etc/security/limits.conf, or LimitMEMLOCK= of the systemd unit), or run with CAP_IPC_LOCK.',
    context: { need: size, limit, locked: used },
    ...system,
  })
}
