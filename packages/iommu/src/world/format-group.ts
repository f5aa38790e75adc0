import type { Holder } from '@openbar/linux'
import { formatIova } from '../iova.ts'
import type { TreeNode } from './tree.ts'
import type { World, WorldGroup } from './world.ts'

/** A group as a tree: its reserved regions, its devices, and who holds it. */
export function groupTree(group: WorldGroup, world: World): TreeNode {
  const { id, type, file, noIommu, viable, culprits, devices, reservedRegions } = group
  const blamed = culprits.map(({ address, driver }) => `${address} (${driver})`).join(', ')
  const facts = [
    ...(noIommu ? ['no IOMMU, unsafe'] : type === undefined ? [] : [type]),
    viable ? 'viable' : `not viable because of ${blamed}`,
  ]
  const regions = reservedRegions.map(({ start, last, kind }) => `${formatIova(start)}-${formatIova(last)} (${kind})`)
  return {
    text: `group ${id}${file === undefined ? '' : ` (${file})`}: ${facts.join(', ')}`,
    children: [
      ...(regions.length === 0 ? [] : [{ text: `reserved: ${regions.join(', ')}` }]),
      ...devices.map(({ address, driver, cdev }) => ({
        text: `${address}: ${driver ?? 'no driver'}${cdev === undefined ? '' : `, ${cdev}`}`,
      })),
      ...holderLines(group, world),
    ],
  }
}

/** A group without a VFIO file can be held by nobody: that goes without saying. */
function holderLines({ file, holders, possibleHolders }: WorldGroup, world: World): TreeNode[] {
  if (file === undefined && holders.length === 0) return []
  const possible = namesOf(possibleHolders, world)
  if (possible === '') return [{ text: heldBy(holders, world) }]
  return [
    ...(holders.length === 0 ? [] : [{ text: heldBy(holders, world) }]),
    { text: `perhaps held by ${possible}: a VFIO device of an unknown group` },
  ]
}

/** Who holds something, in a sentence. */
export function heldBy(holders: readonly Holder[], world: World): string {
  if (holders.length > 0) return `held by ${namesOf(holders, world)}`
  return `held by nobody${world.unreadableProcesses === 0 ? '' : ' that can be seen'}`
}

function namesOf(holders: readonly Holder[], world: World): string {
  return holders
    .map(({ pid, command }) => `${command} (process ${pid}${pid === world.pid ? ', this one' : ''})`)
    .join(', ')
}
