import { type E1000Registers, e1000Registers as table } from './registers.ts'

/** The state of the link. */
export interface LinkState {
  readonly up: boolean
  /** Megabits per second: 10, 100 or 1000. */
  readonly speed: number
  readonly fullDuplex: boolean
}

const SPEEDS = [10, 100, 1000, 1000] as const

/** Reads the link's state (SDM 13.4.2, 82574 10.2.2.2). Speed and duplex mean something only while it is up. */
export function readLink(regs: E1000Registers): LinkState {
  const status = regs.STATUS.read()
  return {
    up: (status & table.STATUS.LU) !== 0,
    speed: SPEEDS[(status & table.STATUS.SPEED) >>> table.STATUS.SPEED_SHIFT]!,
    fullDuplex: (status & table.STATUS.FD) !== 0,
  }
}

/**
 * Lets the MAC take the link as the PHY negotiates it (SDM 8.6.2.2.3): set link up, force nothing, and do not have the
 * MAC detect the speed by itself, for the PHY tells it.
 */
export function setLinkUp(regs: E1000Registers): void {
  const { SLU, ASDE, LRST, PHY_RST, ILOS, FRCSPD, FRCDPLX, VME } = table.CTRL
  const off = LRST | PHY_RST | ILOS | FRCSPD | FRCDPLX | ASDE | VME
  regs.CTRL.write((regs.CTRL.read() & ~off) | SLU)
}
