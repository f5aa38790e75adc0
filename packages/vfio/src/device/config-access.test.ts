import { BufferAccess, ConfigSpace, type RegisterAccess } from '@openbar/pci'
import { describe, expect, it } from 'vitest'
import { ConfigAccess } from './config-access.ts'

describe('ConfigAccess', () => {
  it('goes to the config space that is live at each access, and throws what tells that there is none', () => {
    let live: RegisterAccess | undefined = new BufferAccess(new Uint8Array(256))
    const config = new ConfigSpace(
      new ConfigAccess(() => {
        if (live === undefined) throw new Error('no domain')
        return live
      }),
    )
    live.write16(0, 0x8086)
    expect(config.vendorId).toBe(0x8086)
    live = undefined
    expect(() => config.vendorId).toThrow('no domain')
    live = new BufferAccess(new Uint8Array(256))
    config.command.busMasterEnable = true
    expect(live.read16(4)).toBe(4)
  })
})
