import type { RegisterWindow } from '@openbar/vfio'
import { describe, expect, it } from 'vitest'
import { backends } from '../support/backends.ts'
import { NICS } from '../support/nics.ts'
import { openDevice } from '../support/open-device.ts'
import { optimize } from '../support/optimize.ts'

const ICR = 0x00c0
const ICS = 0x00c8
const IMC = 0x00d8
const LSC = 1 << 2

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
    bar0.read32(ICR)
  }

  it.each(NICS)('does each read, also when its result is not used: $chip', async ({ model }) => {
    await withCause(model, (bar0, raise) => {
      const readAndForget = (window: RegisterWindow): void => {
        window.read32(ICR)
      }
      optimize(readAndForget, () => readAndForget(bar0))
      raise()
      readAndForget(bar0)
      expect(bar0.read32(ICR) & LSC).toBe(0)
    })
  })

  it.each(NICS)('does not read what it writes: $chip', async ({ model }) => {
    await withCause(model, (bar0, raise) => {
      // Writing zero to ICR clears nothing (SDM 13.4.17).
      const write = (window: RegisterWindow): void => window.write32(ICR, 0)
      const words = bar0.u32
      const store = (array: Uint32Array): void => {
        array[ICR / 4] = 0
      }
      optimize(write, () => write(bar0))
      optimize(store, () => store(words))
      raise()
      write(bar0)
      store(words)
      expect(bar0.read32(ICR) & LSC).toBe(LSC)
      expect(bar0.read32(ICR) & LSC).toBe(0)
    })
  })
})
