import {
  addressOf,
  Errno,
  errnoName,
  errnoText,
  type Fd,
  IOMMU_HWPT_INVALIDATE,
  invalidArgument,
  iommuHwptInvalidate,
  OpenbarError,
  tryIoctl,
} from '@openbar/linux'
import type { Invalidation } from './page-table-data.ts'
import { refusal } from './refusal.ts'

const SYSCALL = 'ioctl(IOMMU_HWPT_INVALIDATE)'

/** Has the IOMMU forget parts of a nested table. */
export function invalidatePageTable(fd: Fd<'iommufd'>, table: number, { type, entries }: Invalidation): void {
  const length = entries[0]?.byteLength ?? 0
  if (entries.some((entry) => entry.byteLength !== length || length === 0)) {
    throw invalidArgument('entries', entries, 'structs of one length')
  }
  // The entries stand behind the struct, so that they live as long as the call.
  const { size } = iommuHwptInvalidate
  const command = iommuHwptInvalidate.allocate(length * entries.length)
  for (const [index, entry] of entries.entries()) command.bytes.set(entry, size + index * length)
  command.size = size
  command.hwpt_id = table
  command.data_type = type
  command.entry_len = length
  command.entry_num = entries.length
  command.data_uptr = addressOf(command.bytes) + BigInt(size)
  const errno = -tryIoctl(fd, IOMMU_HWPT_INVALIDATE, command)
  if (errno <= 0) return
  const target = `page table ${table}`
  // Without entries there is nothing to refuse but the format.
  if (entries.length === 0 && (errno === Errno.EINVAL || errno === Errno.EOPNOTSUPP)) {
    throw new OpenbarError('ERR_NOT_SUPPORTED', {
      message: `The IOMMU of ${target} has no invalidation of type 0x${type.toString(16)}.`,
      hint: 'The type has to suit the IOMMU: hardwareInfo() tells which it is.',
      context: { what: `invalidation of type ${type}` },
      errno,
      syscall: SYSCALL,
    })
  }
  if (errno === Errno.ENOTTY)
    throw refusal(IOMMU_HWPT_INVALIDATE, errno, { what: 'invalidation', target, since: '6.8' })
  const done = command.entry_num
  throw new OpenbarError('ERR_SYSCALL', {
    message: `${SYSCALL} on ${target} failed at entry ${done} of ${entries.length}: ${errnoName(errno)}, ${errnoText(errno)}.`,
    hint: done === 0 ? 'Nothing was invalidated.' : `The ${done} before it are done.`,
    context: { target: `${target}, entry ${done}` },
    errno,
    syscall: SYSCALL,
  })
}
