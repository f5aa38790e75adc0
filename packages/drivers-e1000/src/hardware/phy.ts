import { waitUntil } from '@openbar/vfio'
import { type E1000Registers, e1000Registers as table } from './registers.ts'

const TIMEOUT_MS = 500
/** The control register of every PHY (IEEE 802.3, 22.2.4.1). */
const CONTROL = 0
const CONTROL_RESET = 1 << 15
/** Negotiates, full duplex, 1000 Mb/s: what these PHYs come up with. */
const CONTROL_AT_POWER_ON = 0x1140

/**
 * Resets the PHY, and waits until it is done. A reset of the MAC leaves the PHY as it is: in loopback, say, when a program was killed
 * that had it so.
 *
 * SDM 8.6.1 and 11.2, 82574 4.6.4 (PHY initialisation): set the control register's reset bit by MDIC, and wait until the PHY has
 * cleared it.
 *
 * @throws {@link OpenbarError} `ERR_TIMEOUT` when the PHY does not answer.
 */
export async function resetPhy(regs: E1000Registers): Promise<void> {
  await command(regs, table.MDIC.OP_WRITE | CONTROL_RESET | CONTROL_AT_POWER_ON)
  const end = performance.now() + TIMEOUT_MS
  while (((await command(regs, table.MDIC.OP_READ)) & CONTROL_RESET) !== 0 && performance.now() < end);
}

/** Reads or writes the control register, and answers MDIC's data. */
async function command(regs: E1000Registers, operation: number): Promise<number> {
  regs.MDIC.write(operation | (1 << table.MDIC.PHY_SHIFT) | (CONTROL << table.MDIC.REGISTER_SHIFT))
  const ready = () => (regs.MDIC.read() & table.MDIC.READY) !== 0
  await waitUntil(ready, { timeout: TIMEOUT_MS, waitedFor: 'the PHY' })
  return regs.MDIC.read() & table.MDIC.DATA
}
