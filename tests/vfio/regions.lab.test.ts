import { bindRegisters, type Device, defineRegisters, dumpRegisters, type RegisterWindow } from '@openbar/vfio'
import { describe, expect, it } from 'vitest'
import { readMsixHoles } from '../../packages/vfio/src/region/msix-holes.ts'
import { Region, type RegionOwner } from '../../packages/vfio/src/region/region.ts'
import { backends } from '../support/backends.ts'
import { errorOf } from '../support/error-of.ts'
import { openDevice } from '../support/open-device.ts'

const STATUS = 0x0008
const RDBAL = 0x2800
const RDBAH = 0x2804

// BAR 2 of the 82574L: the registers of BAR 0 by an address and a data port (82574 datasheet, 10.2.1).
const ports = defineRegisters({
  IOADDR: { offset: 0, access: 'rw', description: 'Which register' },
  IODATA: { offset: 4, access: 'rw', description: 'Its value' },
})
const nic = defineRegisters({
  STATUS: { offset: STATUS, access: 'ro', description: 'Status', fields: { LU: { bit: 1, description: 'Link up' } } },
  ICR: { offset: 0x00c0, access: 'rcw1c', description: 'Interrupt causes' },
  RDBAL: { offset: RDBAL, access: 'rw', description: 'Receive ring' },
})

/** A device's side of a region, as the device has it, for a region that differs from what this kernel says. */
function ownerOf(device: Device): RegionOwner & { readonly views: Set<{ revoke(): void }> } {
  const views = new Set<{ revoke(): void }>()
  return {
    views,
    address: device.address,
    fd: device.attachment.fd,
    keeper: device,
    checkPresence: () => {},
    windowOpened: (view) => views.add(view),
    windowClosed: (view) => views.delete(view),
    beforeConfigWrite: () => {},
    assertMemoryReachable: () => {},
  }
}

describe.each(backends)('regions on %s', (backend) => {
  const withNic = async (model: 'e1000' | 'e1000e', run: (device: Device) => unknown) => {
    await using opened = await openDevice(model, backend)
    await run(opened.device)
  }

  it('have a chain of capabilities as data', async () => {
    await withNic('e1000e', (device) => {
      const { info } = device.bar(3)
      expect(info.capabilities).toEqual([{ kind: 'msixMappable' }])
      expect(info).toMatchObject({ index: 3, readable: true, writable: true, msixMappable: true })
      expect(device.bar(0).info.capabilities).toEqual([])
    })
  })

  it('that are I/O ports are reached through the same window, by name too', async () => {
    await withNic('e1000e', async (device) => {
      const status = device.bar(0).map().read32(STATUS)
      using window = device.bar(2).map()
      expect([window.mapped, window.size]).toEqual([false, 32])
      const { IOADDR, IODATA } = bindRegisters(ports, window)
      IOADDR.write(STATUS)
      expect(IODATA.read()).toBe(status)
      IOADDR.write(RDBAH)
      IODATA.write(0x1234_5678)
      expect(device.bar(0).map().read32(RDBAH)).toBe(0x1234_5678)
      IODATA.write(0)
      await errorOf('ERR_REGION', () => window.u32)
      await errorOf('ERR_OUT_OF_BOUNDS', () => window.read32(32))
      await errorOf('ERR_MISALIGNED', () => window.read32(2))
    })
  })

  it('have 32 and 64-bit access to memory, by methods and arrays', async () => {
    await withNic('e1000e', (device) => {
      using window = device.bar(0).map()
      window.write32(RDBAL, 0x1122_3340)
      window.write32(RDBAH, 0x5566_7788)
      expect(window.read64(RDBAL)).toBe(0x5566_7788_1122_3340n)
      expect([window.u32[RDBAL / 4], window.u64[RDBAL / 8]]).toEqual([0x1122_3340, 0x5566_7788_1122_3340n])
      window.write32(RDBAL, 0)
      window.write32(RDBAH, 0)
    })
  })

  it('that may be mapped in parts are one window', async () => {
    await withNic('e1000e', async (device) => {
      const { info } = device.bar(3)
      // The table of 5 vectors and the pending bits of the 82574L stand at the start of pages of their own.
      const holes = readMsixHoles(device.attachment.fd, 3, device.address)
      expect(holes).toEqual([
        { offset: 0, size: 80 },
        { offset: 0x2000, size: 8 },
      ])
      const owner = ownerOf(device)
      // As a kernel before 4.16 says it, which does not let the table be mapped.
      const window = new Region('BAR 3', { ...info, msixMappable: false, capabilities: [] }, owner).map()
      const whole = device.bar(3).map()
      expect([window.mapped, window.size]).toEqual([false, info.size])
      for (const offset of [0x1000, 0x1ffc, 0x3000]) expect(window.read32(offset)).toBe(whole.read32(offset))
      // By read and write the kernel hides the table: it reads all ones, and writes are lost.
      const entry = whole.read32(12)
      window.write32(12, entry ^ 1)
      expect([window.read32(12), whole.read32(12)]).toEqual([0xffff_ffff, entry])
      for (const view of owner.views) view.revoke()
      for (const offset of [0, 0x1000]) await errorOf('ERR_CLOSED', () => window.read32(offset))
    })
  })

  it('that are not there say so', async () => {
    await withNic('e1000', async (device) => {
      await errorOf('ERR_REGION', () => device.bar(5))
      await errorOf('ERR_REGION', () => device.region(5).map())
    })
  })

  it('refuse by read and write what memory decoding is off for, and say why', async () => {
    await withNic('e1000e', async (device) => {
      const region = new Region(
        'BAR 0',
        { ...device.bar(0).info, mappableAreas: [] },
        {
          ...ownerOf(device),
          assertMemoryReachable: () => void device.bar(0).map().close(),
        },
      )
      const window = region.map()
      expect(window.read32(STATUS)).toBe(device.bar(0).map().read32(STATUS))
      device.config.command.memorySpaceEnable = false
      const error = await errorOf('ERR_REGION', () => window.read32(STATUS))
      expect(error.message).toContain('memory decoding is switched off')
      device.config.command.memorySpaceEnable = true
      expect(window.read32(STATUS)).not.toBe(0)
    })
  })

  it('give registers a decoded dump, and take bound registers away with the window', async () => {
    await withNic('e1000e', async (device) => {
      const window: RegisterWindow = device.bar(0).map()
      const dump = dumpRegisters(nic, window)
      expect(dump.map(({ name }) => name)).toEqual(['STATUS', 'RDBAL'])
      expect(dump[0]).toMatchObject({ offset: STATUS, fields: { LU: true } })
      const regs = bindRegisters(nic, window)
      expect(regs.STATUS.fields().LU).toBe(true)
      device.config.command.memorySpaceEnable = false
      for (const call of [() => regs.STATUS.read(), () => regs.RDBAL.write(0), () => regs.ICR.read()]) {
        await errorOf('ERR_CLOSED', call)
      }
      device.config.command.memorySpaceEnable = true
    })
  })
})
