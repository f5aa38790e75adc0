import { PAGE_SIZE } from '@openbar/linux'
import type { MappableArea } from './region-info.ts'

/**
 * What of a region a window maps: the areas that the kernel allows, in whole pages, without the pages that hold what must not be
 * mapped. Everything else is reached by reading and writing the device's file.
 *
 * @param size - Bytes of the region. Its last page counts as whole.
 * @param areas - As the kernel allows them, in any order.
 * @param holes - What must not be mapped, such as the MSI-X table.
 * @returns Parts in rising order, apart from each other; one part of the region's size when all of it is mapped.
 */
export function mappableParts(
  size: number,
  areas: readonly MappableArea[],
  holes: readonly MappableArea[] = [],
): MappableArea[] {
  const wholePages = (at: number) => Math.floor(at / PAGE_SIZE)
  const pages = areas
    .map(({ offset, size: bytes }) => ({
      first: Math.ceil(offset / PAGE_SIZE),
      end: offset + bytes >= size ? Math.ceil(size / PAGE_SIZE) : wholePages(offset + bytes),
    }))
    .sort((a, b) => a.first - b.first)
  const cuts = holes.map(({ offset, size: bytes }) => ({
    first: wholePages(offset),
    end: Math.ceil((offset + bytes) / PAGE_SIZE),
  }))
  const runs: { first: number; end: number }[] = []
  for (const run of cuts.reduce(cut, pages)) {
    const last = runs.at(-1)
    if (run.first >= run.end) continue
    if (last === undefined || run.first > last.end) runs.push({ ...run })
    else last.end = Math.max(last.end, run.end)
  }
  return runs.map(({ first, end }) => ({
    offset: first * PAGE_SIZE,
    size: Math.min(end * PAGE_SIZE, size) - first * PAGE_SIZE,
  }))
}

interface Run {
  readonly first: number
  readonly end: number
}

/** Takes one hole out of runs of pages. */
function cut(runs: readonly Run[], hole: Run): Run[] {
  return runs.flatMap(({ first, end }) =>
    [
      { first, end: Math.min(end, hole.first) },
      { first: Math.max(first, hole.end), end },
    ].filter((run) => run.first < run.end),
  )
}
