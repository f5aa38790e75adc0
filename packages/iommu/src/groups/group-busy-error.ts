import { OpenbarError } from '@openbar/linux'
import type { Attachable } from '../attachable.ts'
import { type GroupHolders, groupHolders } from './group-holders.ts'
import { readGroup } from './groups.ts'
import { formatHolders } from './holders.ts'
import { scanHolders } from './scan-holders.ts'
import { isVfioFile } from './vfio-files.ts'

/**
 * The error for a group that is in use, naming who holds it by its own file or by one of its devices.
 *
 * Call it when this process has closed its own descriptors of them again, or it names itself.
 *
 * @param system - The system call that was refused.
 */
export function groupBusyError(
  device: Attachable,
  system: { readonly errno: number; readonly syscall: string; readonly cause?: unknown },
): OpenbarError<'ERR_GROUP_BUSY'> {
  const { address, group: id, cdev } = device
  const { file = `/dev/vfio/${id}`, devices } = readGroup(id)
  const scan = scanHolders('/proc', (path) => path === cdev || isVfioFile(path))
  const found = groupHolders(scan, { file, devices: [...devices, { address, driver: undefined, cdev }] })
  return new OpenbarError('ERR_GROUP_BUSY', {
    message: `${address} is in use: IOMMU group ${id} is held by ${formatGroupHolders(found, scan.unreadable)}.`,
    hint: 'A group can be driven by one process, in one way, at a time: end that one first.',
    context: { group: id, holders: found.holders },
    ...system,
  })
}

/** Who holds a group that somebody is known to hold; when nobody can be named, why not. */
export function formatGroupHolders({ holders, possibleHolders }: GroupHolders, unreadable: number): string {
  if (holders.length > 0) return formatHolders(holders)
  const others = possibleHolders.filter(({ pid }) => pid !== process.pid)
  const reasons = [
    ...(others.length > 0
      ? [`perhaps ${formatHolders(others)}, with a VFIO device of which /proc does not tell the group`]
      : []),
    ...(unreadable > 0 ? [`${unreadable} could not be looked into: run as root, with all of its capabilities`] : []),
  ]
  if (reasons.length === 0) return 'a process that /proc does not show here, perhaps one in another container'
  return `another process (${reasons.join('; ')})`
}
