import { OpenbarError } from '@openbar/linux'
import type { Attachable } from '../attachable.ts'
import { findHolders, formatHolders } from './holders.ts'

/**
 * The error for a group that is in use, naming who holds it by either of its device files.
 *
 * Call it when this process has closed its own descriptors of them again, or it names itself.
 *
 * @param system - The system call that was refused.
 */
export function groupBusyError(
  device: Attachable,
  system: { readonly errno: number; readonly syscall: string; readonly cause?: unknown },
): OpenbarError<'ERR_GROUP_BUSY'> {
  const byPid = [`/dev/vfio/${device.group}`, ...(device.cdev === undefined ? [] : [device.cdev])]
    .flatMap(findHolders)
    .map((holder) => [holder.pid, holder] as const)
  const holders = [...new Map(byPid).values()]
  return new OpenbarError('ERR_GROUP_BUSY', {
    message: `${device.address} is in use: IOMMU group ${device.group} is held by ${formatHolders(holders)}.`,
    hint: 'A group can be driven by one process, in one way, at a time: end that one first.',
    context: { group: device.group, holders },
    ...system,
  })
}
