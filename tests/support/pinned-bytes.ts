import type { BackendName } from '@openbar/iommu'
import { lockedMemory } from '@openbar/linux'
import { differencesOf } from './backend-differences.ts'

/** What this process has pinned through domains of a backend, as the kernel counts it. */
export function pinnedBytes(backend: BackendName): number {
  const { locked, pinned } = lockedMemory()
  return Number(differencesOf(backend).counts === 'VmPin' ? pinned : locked)
}
