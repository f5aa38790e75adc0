import { type E1000Registers, e1000Registers as table } from './registers.ts'

/**
 * Lets in frames for one MAC address, and no multicasts.
 *
 * SDM 14.4, 82574 4.6.5.1: put the address into receive address 0, mark the others invalid, clear the multicast table,
 * which a reset does not do.
 */
export function setReceiveFilter(regs: E1000Registers, mac: Uint8Array): void {
  const view = new DataView(mac.buffer, mac.byteOffset, mac.byteLength)
  regs.RAL.at(0).write(view.getUint32(0, true))
  regs.RAH.at(0).write(view.getUint16(4, true) | table.RAH.AV)
  for (let entry = 1; entry < regs.RAH.length; entry += 1) {
    regs.RAH.at(entry).write(0)
    regs.RAL.at(entry).write(0)
  }
  for (const register of regs.MTA) register.write(0)
}
