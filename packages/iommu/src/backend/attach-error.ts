import { Errno, isOpenbarError } from '@openbar/linux'
import type { MappingRequest } from './backend.ts'
import { mapError, memlockError } from './map-error.ts'

/**
 * What the kernel's refusal of a device means. iommufd pins what was mapped before the first device when that comes, so it can be
 * the mappings that it refuses; a type1 container, which is told of them one by one, names the one that it means.
 *
 * @param mappings - What the domain has mapped, ascending.
 */
export function attachError(error: unknown, mappings: readonly MappingRequest[]): unknown {
  const [first] = mappings
  if (first === undefined || !isOpenbarError(error, 'ERR_SYSCALL')) return error
  const { errno, syscall } = error
  if (syscall === undefined || (errno !== Errno.ENOMEM && errno !== Errno.EFAULT)) return error
  if (errno === Errno.EFAULT) return mapError(syscall, errno, first)
  const bytes = mappings.reduce((sum, { size }) => sum + size, 0)
  return memlockError('of all mappings together', BigInt(bytes), { errno, syscall, cause: error })
}
