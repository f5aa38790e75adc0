import type { Holder } from '@openbar/linux'
import type { Group } from './groups.ts'
import type { HolderScan } from './scan-holders.ts'
import { isGroupFile } from './vfio-files.ts'

/** Who has a group, or devices of it, open. */
export interface GroupHolders {
  /** Processes that have the group's file or a file of one of its devices open. */
  readonly holders: readonly Holder[]
  /**
   * Processes that may hold a device of the group: they have a device open that they got through a group whose file they
   * have closed since, and the kernel does not tell which device it is.
   *
   * A process with a group's file open is taken to hold devices of that group only, and nobody else to hold devices of a
   * group whose file somebody has open.
   */
  readonly possibleHolders: readonly Holder[]
}

/** Picks the holders of a group out of all. */
export function groupHolders(scan: HolderScan, { file, devices }: Pick<Group, 'file' | 'devices'>): GroupHolders {
  const paths = [file, ...devices.map(({ cdev }) => cdev)].filter((path) => path !== undefined)
  const holders = unique([
    ...paths.flatMap((path) => scan.files.get(path) ?? []),
    ...devices.flatMap(({ address }) => scan.devices.get(address) ?? []),
  ])
  if (file === undefined || scan.files.has(file)) return { holders, possibleHolders: [] }
  const elsewhere = [...scan.files].flatMap(([path, known]) => (isGroupFile(path) ? known : []))
  const accounted = new Set([...holders, ...elsewhere].map(({ pid }) => pid))
  return { holders, possibleHolders: scan.unnamedDevices.filter(({ pid }) => !accounted.has(pid)) }
}

function unique(holders: readonly Holder[]): Holder[] {
  return [...new Map(holders.map((holder) => [holder.pid, holder] as const)).values()].sort((a, b) => a.pid - b.pid)
}
