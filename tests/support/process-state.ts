import { readdirSync, readFileSync, readlinkSync } from 'node:fs'

/** What a program must leave as it found it. */
export interface ProcessState {
  /** What each open file descriptor of VFIO, iommufd and eventfds refers to, sorted. */
  readonly files: readonly string[]
  /** kB of memory that is locked or pinned. */
  readonly pinned: string
}

/** Looks at this process's own /proc. */
export function processState(): ProcessState {
  const files = readdirSync('/proc/self/fd')
    .flatMap((fd) => {
      try {
        return [readlinkSync(`/proc/self/fd/${fd}`)]
      } catch {
        return []
      }
    })
    .filter((target) => /vfio|iommu|eventfd/.test(target))
    .sort()
  const status = readFileSync('/proc/self/status', 'utf8')
  return { files, pinned: (status.match(/^Vm(Lck|Pin):.*$/gm) ?? []).join(' ') }
}
