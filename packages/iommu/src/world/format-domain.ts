import type { DomainSnapshot, MappingSnapshot } from '../domain-snapshot.ts'
import { formatIova, formatRange } from '../iova.ts'
import { type FormatOptions, maxMappingsOf } from './format-options.ts'
import { formatSize } from './format-size.ts'
import { printTree, type TreeNode } from './tree.ts'

/**
 * The state of a domain as a tree of text, without colour codes: devices, ranges, limits and mappings.
 *
 * @throws {@link OpenbarError} `ERR_INVALID_ARGUMENT` for a `maxMappings` that is no number of mappings.
 *
 * @example
 * ```ts
 * console.log(formatDomain(domain.snapshot(), { maxMappings: 100 }))
 * ```
 */
export function formatDomain(snapshot: DomainSnapshot, options: FormatOptions = {}): string {
  return printTree(domainTree(snapshot, options))
}

/** What {@link formatDomain} prints. */
export function domainTree(snapshot: DomainSnapshot, options: FormatOptions): TreeNode {
  const { id, backend, state, devices, ranges, pinnedBytes, limits, mappings } = snapshot
  const unknown = backend === 'unsafe-noiommu' ? "all of the machine's memory" : 'not known before the first device'
  const rangesText = ranges?.map(({ start, last }) => `${formatIova(start)}-${formatIova(last)}`).join(', ')
  const lines: TreeNode[] = [{ text: devices.length === 0 ? 'no devices' : `devices: ${devices.join(', ')}` }]
  if (state !== 'closed') lines.push({ text: `ranges: ${rangesText ?? unknown}` })
  lines.push({ text: `pinned: ${formatSize(pinnedBytes)}` })
  if (limits.mappingsLeft !== undefined) lines.push({ text: `limit: ${limits.mappingsLeft} more mappings` })
  lines.push(mappingsTree(mappings, maxMappingsOf(options)))
  return {
    text: `domain ${id} on ${backend}: ${state === 'closing' ? 'closed, still held by its devices' : state}`,
    children: lines,
  }
}

function mappingsTree(mappings: readonly MappingSnapshot[], max: number): TreeNode {
  if (mappings.length === 0) return { text: 'no mappings' }
  const rest = mappings.slice(max)
  const size = rest.reduce((sum, mapping) => sum + mapping.size, 0)
  return {
    text: `mappings: ${mappings.length}`,
    children: [
      ...inColumns(mappings.slice(0, max).map(mappingCells)).map((text) => ({ text })),
      ...(rest.length === 0 ? [] : [{ text: `and ${rest.length} more, of ${formatSize(size)}` }]),
    ],
  }
}

function mappingCells({ iova, size, access, state, kind }: MappingSnapshot): string[] {
  return [formatRange(iova, BigInt(size)), formatSize(size), access, state, kind === 'buffer' ? kind : '']
}

/** Rows of as many cells each, as lines in which columns stand below one another. */
function inColumns(rows: readonly (readonly string[])[]): string[] {
  const widths = rows.reduce<readonly number[]>(
    (widest, row) => row.map((cell, column) => Math.max(cell.length, widest[column] ?? 0)),
    [],
  )
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  )
}
