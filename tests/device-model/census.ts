import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { lockedMemory } from '@openbar/linux'

/** What this process holds, by kind. */
export interface Census {
  readonly eventfd: number
  /** Open devices, by their group or as character devices. */
  readonly device: number
  readonly group: number
  /** `/dev/vfio/vfio`. */
  readonly container: number
  /** `/dev/iommu`. */
  readonly iommufd: number
  /** All file descriptors. */
  readonly files: number
  /** Bytes of devices' registers that are mapped. */
  readonly mapped: number
  /** Bytes that are pinned or locked. */
  readonly pinned: number
}

export function takeCensus(): Census {
  const files = readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      return [readlinkSync(`/proc/self/fd/${fd}`)]
    } catch {
      return [] // The directory itself, which is closed by now.
    }
  })
  const count = (pattern: RegExp) => files.filter((file) => pattern.test(file)).length
  const { locked, pinned } = lockedMemory()
  return {
    eventfd: count(/\[eventfd\]/),
    device: count(/\[vfio-device\]|vfio\/devices\//),
    group: count(/^\/dev\/vfio\/\d+$/),
    container: count(/^\/dev\/vfio\/vfio$/),
    iommufd: count(/^\/dev\/iommu$/),
    files: files.length,
    mapped: mappedRegisters(),
    pinned: Number(locked) + Number(pinned),
  }
}

function mappedRegisters(): number {
  const lines = readFileSync('/proc/self/maps', 'utf8').matchAll(
    /^([\da-f]+)-([\da-f]+) .*(?:vfio-device|\/vfio\/devices\/)/gm,
  )
  return Array.from(lines, ([, start = '', end = '']) => Number.parseInt(end, 16) - Number.parseInt(start, 16)).reduce(
    (sum, size) => sum + size,
    0,
  )
}
