import { BufferAccess } from '@openbar/pci'
import { beforeEach, describe, expect, it } from 'vitest'
import { ConfigAccess } from './config-access.ts'

const PM_CAPABILITY = 0xc8
let buffer: BufferAccess
let revoked: number
let config: ConfigAccess

beforeEach(() => {
  buffer = new BufferAccess(new Uint8Array(256))
  revoked = 0
  config = new ConfigAccess({
    configWindow: () => buffer,
    revokeWindows: () => {
      revoked += 1
    },
  })
  buffer.write16(0x04, 0x0007)
  // Two capabilities: something else first, power management behind it.
  buffer.write8(0x34, 0x50)
  buffer.write16(0x50, (PM_CAPABILITY << 8) | 0x05)
  buffer.write16(PM_CAPABILITY, 0x0001)
})

describe('ConfigAccess', () => {
  it('takes the windows away before memory decoding goes off, whatever the width of the write', () => {
    config.write16(0x04, 0x0005)
    expect(revoked).toBe(1)
    config.write8(0x04, 0x00)
    expect(revoked).toBe(2)
    config.write32(0x04, 0xffff_0000)
    expect(revoked).toBe(3)
    config.write64(0x00, 0n)
    expect(revoked).toBe(4)
  })

  it('takes them away before the function leaves D0', () => {
    config.write16(PM_CAPABILITY + 4, 0x0003)
    expect(revoked).toBe(1)
    expect(buffer.read16(PM_CAPABILITY + 4)).toBe(3)
  })

  it('leaves them alone for every other write', () => {
    config.write16(0x04, 0x0406)
    config.write8(0x05, 0x00)
    config.write16(0x06, 0xffff)
    config.write16(PM_CAPABILITY + 4, 0x8000)
    config.write32(PM_CAPABILITY, 0xffff_ffff)
    config.write8(0x3c, 0)
    expect(revoked).toBe(0)
    expect(buffer.read16(0x04)).toBe(0x0006)
  })

  it('ends on a chain of capabilities that is a loop', () => {
    buffer.write16(0x50, 0x5005)
    config.write8(0x60, 1)
    expect(revoked).toBe(0)
  })
})
