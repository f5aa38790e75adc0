import type { BackendName } from '@openbar/iommu'

/** What domains stand on in this guest: the row of the matrix says so. Every test runs once on each. */
export const backends = (process.env['OPENBAR_BACKENDS'] ?? '').split(',').filter(Boolean) as BackendName[]
