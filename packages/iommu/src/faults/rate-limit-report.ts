import type { FaultReport } from './fault-report.ts'

/** The functions of the kernel that print faults: of Intel's driver, AMD's and virtio-iommu. */
const SUPPRESSED = /^(?:dmar_fault|amd_iommu_report_page_fault|viommu_fault_handler): (\d{1,10}) callbacks suppressed$/

/**
 * Reads what the kernel says when its rate limit has hidden reports of faults.
 *
 * @see Linux lib/ratelimit.c: ___ratelimit
 *
 * @example
 * ```ts
 * parseRateLimitReport('dmar_fault: 83 callbacks suppressed') // { kind: 'lost', cause: 'rate-limit', count: 83 }
 * ```
 */
export function parseRateLimitReport(message: string): FaultReport | undefined {
  const [, count] = SUPPRESSED.exec(message) ?? []
  return count === undefined ? undefined : { kind: 'lost', cause: 'rate-limit', count: Number(count) }
}
