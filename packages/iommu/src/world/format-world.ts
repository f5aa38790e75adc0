import { CONTAINER_FILE, IOMMUFD_FILE } from '../groups/vfio-files.ts'
import { domainTree } from './format-domain.ts'
import { groupTree, heldBy } from './format-group.ts'
import type { FormatOptions } from './format-options.ts'
import { formatSize } from './format-size.ts'
import { printTree, type TreeNode } from './tree.ts'
import type { World } from './world.ts'

/**
 * The state of the world as trees of text, without colour codes: the kernel's interfaces, this process's domains, and the
 * machine's groups with their devices and holders.
 *
 * @throws {@link OpenbarError} `ERR_INVALID_ARGUMENT` for a `maxMappings` that is no number of mappings.
 *
 * @example
 * ```ts
 * console.log(formatWorld(world()))
 * ```
 */
export function formatWorld(world: World, options: FormatOptions = {}): string {
  const { unreadableProcesses: unreadable } = world
  return [
    printTree(interfacesTree(world)),
    printTree(processTree(world, options)),
    printTree(groupsTree(world)),
    ...(unreadable === 0
      ? []
      : [
          `${unreadable} ${unreadable === 1 ? 'process' : 'processes'} could not be looked into: run as root, with all of its capabilities`,
        ]),
  ].join('\n')
}

function interfacesTree(world: World): TreeNode {
  const { interfaces, iommufdHolders, containerHolders } = world
  const rows = [
    ['iommufd', IOMMUFD_FILE, interfaces.iommufd, iommufdHolders],
    ['type1', CONTAINER_FILE, interfaces.type1, containerHolders],
  ] as const
  return {
    text: 'kernel interfaces',
    children: rows.map(([name, file, present, holders]) => ({
      // iommufd may be there for others, though without VFIO's character devices no domain can stand on it.
      text: `${name}: ${present || holders.length > 0 ? `${file}, ${heldBy(holders, world)}` : 'not in this kernel'}`,
    })),
  }
}

function processTree(world: World, options: FormatOptions): TreeNode {
  const { pid, domains, memory } = world
  const { locked, pinned, limit } = memory
  const limitText = limit === undefined ? 'no limit' : `limit ${formatSize(limit)}`
  return {
    text: `this process, ${pid}`,
    children: [
      { text: `memory: ${formatSize(locked)} locked, ${formatSize(pinned)} pinned, ${limitText}` },
      ...(domains.length === 0 ? [{ text: 'no domains' }] : domains.map((domain) => domainTree(domain, options))),
    ],
  }
}

function groupsTree(world: World): TreeNode {
  const { groups } = world
  if (groups.length === 0) return { text: 'no IOMMU groups: the IOMMU is absent or switched off' }
  return { text: `IOMMU groups: ${groups.length}`, children: groups.map((group) => groupTree(group, world)) }
}
