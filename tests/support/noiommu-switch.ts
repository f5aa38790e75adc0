import { existsSync, readFileSync, writeFileSync } from 'node:fs'

/** The kernel's switch of VFIO's no-IOMMU mode, which the distribution's kernels do not have. */
export const NOIOMMU_SWITCH = '/sys/module/vfio/parameters/enable_unsafe_noiommu_mode'

/** Whether this kernel has the mode. */
export function hasNoIommuMode(): boolean {
  return existsSync(NOIOMMU_SWITCH)
}

/** Switches the mode on or off until it is disposed of. */
export function switchNoIommuMode(on: boolean): Disposable {
  const before = readFileSync(NOIOMMU_SWITCH, 'utf8').trim()
  writeFileSync(NOIOMMU_SWITCH, on ? 'Y' : 'N')
  return { [Symbol.dispose]: () => writeFileSync(NOIOMMU_SWITCH, before) }
}
