import { setTimeout as sleep } from 'node:timers/promises'
import { waitUntil } from '@openbar/vfio'
import { type E1000Registers, e1000Registers as table } from './registers.ts'

const ALL_CAUSES = 0xffff_ffff
/** What Linux gives these controllers to load their EEPROM anew: 5 ms the 8254x, 25 ms the 82574L. */
const EEPROM_RELOAD_MS = 25

/**
 * Brings the NIC to rest and resets it.
 *
 * SDM 14.3, 82574 4.6.3: mask interrupts, stop both units and let what is under way finish, then set CTRL.RST, which
 * clears itself. What the reset leaves in the registers differs between devices (some leave everything), so start-up
 * writes each register that it relies on.
 */
export async function reset(regs: E1000Registers): Promise<void> {
  stop(regs)
  await sleep(10)
  regs.CTRL.set('RST')
  // SDM 13.4.1: registers must not be touched for at least 1 us after RST.
  await sleep(EEPROM_RELOAD_MS)
  await waitUntil(() => (regs.CTRL.read() & table.CTRL.RST) === 0, { timeout: 100, waitedFor: 'the end of the reset' })
  maskInterrupts(regs)
}

/** Masks interrupts and stops receiving and transmitting. */
export function stop(regs: E1000Registers): void {
  maskInterrupts(regs)
  regs.RCTL.write(0)
  regs.TCTL.write(table.TCTL.PSP)
  // A read of any register makes sure that the posted writes before it have arrived (SDM 4.1.4.1).
  regs.STATUS.flush()
}

/** Masks all causes, and forgets those that are pending. */
function maskInterrupts(regs: E1000Registers): void {
  regs.IMC.write(ALL_CAUSES)
  regs.ICR.read()
}
