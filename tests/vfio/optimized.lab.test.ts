import { bindRegisters, defineRegisters, type RegisterWindow, traceRegisters } from '@openbar/vfio'
import { describe, expect, it } from 'vitest'
import { backends } from '../support/backends.ts'
import { NICS } from '../support/nics.ts'
import { openDevice } from '../support/open-device.ts'
import { optimize } from '../support/optimize.ts'

const ICR = 0x00c0
const ICS = 0x00c8
const IMS = 0x00d0
const IMC = 0x00d8
const TCTL = 0x0400
const TDBAL = 0x3800
const TDT = 0x3818
const LSC = 1 << 2
const TCTL_EN = 1 << 1
const EOP_RS = 0x09 << 24
const DESCRIPTORS = 8
const FRAME_BYTES = 60
const DONE = 1

const nic = defineRegisters({
  // A value of its own: nothing is cleared by writing zeros, so a write that reads would show (SDM 13.4.17).
  ICR: { offset: ICR, access: 'rcw1c', description: 'Interrupt causes, cleared by reading' },
  TDT: { offset: TDT, access: 'rw', description: 'Transmit tail' },
})

function bind(window: RegisterWindow) {
  return bindRegisters(nic, window)
}

/** The ways to a register, as code that is optimised: each a literal of its own, for V8 learns of each by itself. */
function paths(window: RegisterWindow) {
  const regs = bind(window)
  return [
    {
      name: 'window',
      readAndForget: () => void window.read32(ICR),
      readAndAdd: () => window.read32(ICR) + 1,
      write: () => window.write32(ICR, 0),
    },
    {
      name: 'bound register',
      readAndForget: () => void regs.ICR.read(),
      readAndAdd: () => regs.ICR.read() + 1,
      write: () => regs.ICR.write(0),
    },
    {
      name: 'bound register, flushed',
      readAndForget: () => regs.ICR.flush(),
      readAndAdd: () => regs.ICR.read() + 1,
      write: () => regs.ICR.write(0),
    },
  ]
}

describe.each(backends)('optimised code on %s', (backend) => {
  // With all causes masked, ICS sets a cause, and any read of ICR clears it: it shows whether one took place.
  const withCause = async (model: 'e1000' | 'e1000e', run: (bar0: RegisterWindow, raise: () => void) => void) => {
    await using opened = await openDevice(model, backend)
    const bar0 = opened.device.bar(0).map()
    bar0.write32(IMC, 0xffff_ffff)
    run(bar0, () => {
      bar0.read32(ICR)
      bar0.write32(ICS, LSC)
    })
    bar0.write32(IMC, 0xffff_ffff)
    bar0.read32(ICR)
  }

  it.each(NICS)('does each read, also when its result is not used: $chip', async ({ model }) => {
    await withCause(model, (bar0, raise) => {
      for (const { name, readAndForget } of paths(bar0)) {
        optimize(readAndForget, readAndForget)
        raise()
        readAndForget()
        expect([name, bar0.read32(ICR) & LSC]).toEqual([name, 0])
      }
    })
  })

  it.each(NICS)('does not read what it writes: $chip', async ({ model }) => {
    await withCause(model, (bar0, raise) => {
      const words = bar0.u32
      const store = () => {
        words[ICR / 4] = 0
      }
      for (const { name, write } of [...paths(bar0), { name: 'array', write: store }]) {
        optimize(write, write)
        raise()
        write()
        expect([name, bar0.read32(ICR) & LSC]).toEqual([name, LSC])
        expect([name, bar0.read32(ICR) & LSC]).toEqual([name, 0])
      }
    })
  })

  // The 82574L answers with bit 31 set once a cause is enabled: a number for which the code was not made, so that V8 goes back to
  // the interpreter between the read and the use. What it goes back to must not be the time before the read.
  it('does each read once, also when its value is of another kind than those before', async () => {
    await withCause('e1000e', (bar0) => {
      for (const { name, readAndAdd } of paths(bar0)) {
        bar0.write32(IMC, 0xffff_ffff)
        bar0.read32(ICR)
        optimize(readAndAdd, readAndAdd)
        bar0.write32(IMS, LSC)
        bar0.write32(ICS, LSC)
        expect([name, readAndAdd()]).toEqual([name, 0x8000_0000 + LSC + 1])
      }
    })
  })

  it('does each read and write of a register that was traced before', async () => {
    await withCause('e1000e', (bar0, raise) => {
      const regs = bind(bar0)
      const readAndForget = () => void regs.ICR.read()
      const write = () => regs.ICR.write(0)
      let told = 0
      {
        using _trace = traceRegisters(regs, () => {
          told += 1
        })
        for (let count = 0; count < 10; count += 1) readAndForget()
      }
      expect(told).toBe(10)
      optimize(readAndForget, readAndForget)
      optimize(write, write)
      raise()
      write()
      expect(bar0.read32(ICR) & LSC).toBe(LSC)
      raise()
      readAndForget()
      expect(bar0.read32(ICR) & LSC).toBe(0)
      expect(told).toBe(10)
    })
  })

  // QEMU reads the descriptor inside the write of the tail: one that came late would be one of zeros, which is never done.
  it.each(NICS)('writes a descriptor before its tail: $chip', async ({ model }) => {
    await using opened = await openDevice(model, backend)
    const { device, domain } = opened
    device.config.command.busMasterEnable = true
    const { iova, u32: memory } = domain.allocate(4096)
    const frame = Number(iova & 0xffff_ffffn) + 2048
    const high = Number(iova >> 32n)
    const bar0 = device.bar(0).map()
    const { TDT: tail } = bind(bar0)
    const words = bar0.u32
    bar0.write32(TCTL, 0)
    for (const [index, value] of [Number(iova & 0xffff_ffffn), high, DESCRIPTORS * 16, 0, 0, 0, 0].entries()) {
      bar0.write32(TDBAL + index * 4, value)
    }
    bar0.write32(TCTL, TCTL_EN)
    const describeFrame = (index: number): void => {
      memory[index * 4] = frame
      memory[index * 4 + 1] = high
      memory[index * 4 + 2] = EOP_RS | FRAME_BYTES
      memory[index * 4 + 3] = 0
    }
    const senders = {
      window: (index: number, next: number) => {
        describeFrame(index)
        bar0.write32(TDT, next)
      },
      register: (index: number, next: number) => {
        describeFrame(index)
        tail.write(next)
      },
      array: (index: number, next: number) => {
        describeFrame(index)
        words[TDT / 4] = next
      },
    }
    let index = 0
    for (const [name, send] of Object.entries(senders)) {
      const sendNext = (): boolean => {
        const next = (index + 1) % DESCRIPTORS
        send(index, next)
        const done = (memory[index * 4 + 3]! & DONE) !== 0
        memory.fill(0, index * 4, index * 4 + 4)
        index = next
        return done
      }
      optimize(send, sendNext)
      const results = Array.from({ length: 100 }, sendNext)
      expect([name, results.every(Boolean)]).toEqual([name, true])
    }
    bar0.write32(TCTL, 0)
    device.config.command.busMasterEnable = false
  })
})
