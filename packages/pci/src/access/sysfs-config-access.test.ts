import { truncateSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { configBytes, e1000eDump } from '../testing/config-dumps.ts'
import { fakeSysfs } from '../testing/fake-sysfs.ts'
import { SysfsConfigAccess } from './sysfs-config-access.ts'

const address = '0000:00:02.0'

function withConfig(): string {
  return fakeSysfs({ [address]: { config: configBytes(e1000eDump) } })
}

describe('SysfsConfigAccess', () => {
  it('reads in all widths', () => {
    using access = SysfsConfigAccess.open('00:02.0', { sysfs: withConfig() })
    expect([access.size, access.read8(0), access.read16(2), access.read32(0)]).toEqual([4096, 0x86, 0x10d3, 0x10d38086])
    expect(access.read64(0x148)).toBe(0x5254_00ffn)
  })

  it('writes in all widths when asked to', () => {
    using access = SysfsConfigAccess.open(address, { sysfs: withConfig(), writable: true })
    access.write16(4, 0xffff_0506)
    access.write8(0x3c, -1)
    access.write32(0x10, 1 << 31)
    access.write64(0x18, -2n)
    expect([access.read16(4), access.read8(0x3c), access.read32(0x10)]).toEqual([0x0506, 0xff, 0x8000_0000])
    expect(access.read64(0x18)).toBe(0xffff_ffff_ffff_fffen)
  })

  it('refuses to write when opened for reading, and tells how to', () => {
    using access = SysfsConfigAccess.open(address, { sysfs: withConfig() })
    expect(() => access.write16(4, 0)).toThrow(/opened for reading only. Open it with \{ writable: true \}/)
  })

  it('checks bounds and alignment', () => {
    using access = SysfsConfigAccess.open(address, { sysfs: withConfig() })
    expect(() => access.read32(0x1000)).toThrow(expect.objectContaining({ code: 'ERR_OUT_OF_BOUNDS' }))
    expect(() => access.read16(1)).toThrow(expect.objectContaining({ code: 'ERR_MISALIGNED' }))
  })

  it('says that root is needed where the kernel shows no more', () => {
    const sysfs = withConfig()
    using access = SysfsConfigAccess.open(address, { sysfs })
    truncateSync(join(sysfs, 'bus/pci/devices', address, 'config'), 64)
    expect(access.read8(0x34)).toBe(0xc8)
    expect(() => access.read8(0xc8)).toThrow(/at 0xc8. All beyond the first 64 bytes needs root/)
  })

  it('throws after close, which can be repeated', () => {
    const access = SysfsConfigAccess.open(address, { sysfs: withConfig() })
    access.close()
    access.close()
    expect(() => access.read8(0)).toThrow(expect.objectContaining({ code: 'ERR_CLOSED' }))
  })

  it('names a function that is not there', () => {
    expect(() => SysfsConfigAccess.open('00:03.0', { sysfs: withConfig() })).toThrow(/Was 0000:00:02.0 meant/)
  })
})
