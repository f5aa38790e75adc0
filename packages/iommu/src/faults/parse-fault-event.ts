import { parseAmdReport } from './amd-report.ts'
import type { FaultEvent } from './fault-event.ts'
import type { ReportParser } from './fault-report.ts'
import { parseIntelReport } from './intel-report.ts'
import type { KmsgRecord } from './kmsg-record.ts'
import { parseRateLimitReport } from './rate-limit-report.ts'
import { parseVirtioReport } from './virtio-report.ts'

const PARSERS: readonly ReportParser[] = [parseIntelReport, parseAmdReport, parseVirtioReport, parseRateLimitReport]
const KERNEL = 0

/** What a record of the kernel's log says of DMA faults; `undefined` when it says nothing, or is not the kernel's own. */
export function parseFaultEvent({ facility, message, at }: KmsgRecord): FaultEvent | undefined {
  if (facility !== KERNEL) return undefined
  for (const parse of PARSERS) {
    const report = parse(message)
    if (report !== undefined) return { ...report, at }
  }
  return undefined
}
