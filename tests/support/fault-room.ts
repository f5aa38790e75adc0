import { setTimeout as sleep } from 'node:timers/promises'
import { describeLab } from '@openbar/lab/guest'

/** The kernel lets ten calls of its fault printers through in five seconds, and hides those above (lib/ratelimit.c). */
const CALLS = 10
const INTERVAL_MS = 5000
/** The kernel counts in ticks of its own clock. */
const MARGIN_MS = 100

const { iommu } = describeLab()
const intel = iommu === 'intel'

/** What it costs of the ten calls when 4 bytes are refused, which is one access. Intel's driver makes three for a fault. */
export const FOUR_BYTES = intel ? 3 : 2
/** The same of 16 bytes: Intel's model makes one or two faults of the four accesses. */
export const SIXTEEN_BYTES = intel ? 6 : 4
/** All that is left: a whole frame is many accesses. */
export const WHOLE_FRAME = CALLS

// What ran before may have used the kernel's limit up.
let end = performance.now() + INTERVAL_MS + MARGIN_MS
let left = 0

/** Waits, if need be, until the kernel will report the faults of a DMA that costs so many calls. */
export async function faultRoom(calls: number): Promise<void> {
  // There is nothing to limit on AMD's, whose model in QEMU reports nothing.
  if (iommu === 'amd') return
  if (left < calls && performance.now() < end) await sleep(end - performance.now())
  if (performance.now() >= end) {
    // The kernel's five seconds begin with the first fault after the last five, so a little after this.
    end = performance.now() + INTERVAL_MS + MARGIN_MS
    left = CALLS
  }
  left -= calls
}

/** Tells that a DMA was made whose faults the kernel need not report, and which may have used its limit up. */
export function spendFaultRoom(): void {
  left = 0
}
