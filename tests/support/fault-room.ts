import { setTimeout as sleep } from 'node:timers/promises'
import { describeLab } from '@openbar/lab/guest'

/** The kernel lets ten calls of its fault printers through in five seconds, and hides those above (lib/ratelimit.c). */
const CALLS = 10
const INTERVAL_MS = 5000
/** The kernel counts in ticks of its own clock. */
const MARGIN_MS = 100

/** What a DMA costs of the ten calls, when all of it is refused: at worst everything, for it is many accesses. */
export const WHOLE_FRAME = CALLS
/** When 16 bytes or less are refused: an access is 4 bytes; Intel's driver makes three calls for a fault, at times more. */
export const FEW_BYTES = describeLab().iommu === 'intel' ? 5 : 4

// What ran before may have used the kernel's limit up.
let end = performance.now() + INTERVAL_MS + MARGIN_MS
let left = 0

/** Waits, if need be, until the kernel will report the faults of a DMA that costs so many calls. */
export async function faultRoom(calls: number): Promise<void> {
  if (left < calls && performance.now() < end) await sleep(end - performance.now())
  if (performance.now() >= end) {
    // The kernel's five seconds begin with the first fault after the last five, so a little after this.
    end = performance.now() + INTERVAL_MS + MARGIN_MS
    left = CALLS
  }
  left -= calls
}
