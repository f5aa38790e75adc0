import { BufferAccess } from '@openbar/pci'
import { beforeEach, describe, expect, it } from 'vitest'
import { ConfigGuard } from './config-guard.ts'

const VENDOR_SPECIFIC = 0x50
const PM = 0x60
const EXPRESS = 0x70
const AF = 0xb0
let config: BufferAccess
let warnings: string[]
let guard: ConfigGuard

function capability(offset: number, id: number, next: number): void {
  config.write16(offset, (next << 8) | id)
}

function write(offset: number, ...bytes: number[]): string[] {
  warnings.length = 0
  guard.beforeWrite(offset, new DataView(Uint8Array.from(bytes).buffer))
  return [...warnings]
}

beforeEach(() => {
  config = new BufferAccess(new Uint8Array(256))
  warnings = []
  config.write16(0x04, 0x0007)
  config.write16(0x06, 0x0010)
  config.write8(0x34, VENDOR_SPECIFIC)
  capability(VENDOR_SPECIFIC, 0x09, PM)
  capability(PM, 0x01, EXPRESS)
  capability(EXPRESS, 0x10, AF)
  capability(AF, 0x13, 0)
  guard = new ConfigGuard(config, {
    beforeMemoryGoes: () => warnings.push('memory'),
    beforeReset: () => warnings.push('reset'),
  })
})

describe('ConfigGuard', () => {
  it('warns before memory decoding goes off, whatever the width of the write', () => {
    expect(write(0x04, 0x05)).toEqual(['memory'])
    expect(write(0x04, 0x05, 0x00)).toEqual(['memory'])
    expect(write(0x04, 0x00, 0x00, 0xff, 0xff)).toEqual(['memory'])
    expect(write(0x00, 0, 0, 0, 0, 0, 0, 0, 0)).toEqual(['memory'])
  })

  it.each([1, 2, 3])('warns before the function goes to D%d', (state) => {
    expect(write(PM + 4, state)).toEqual(['memory'])
    expect(write(PM + 4, state, 0x81)).toEqual(['memory'])
  })

  it('warns before a function level reset, of PCI Express and of the Advanced Features', () => {
    expect(write(EXPRESS + 8, 0x10, 0x80)).toEqual(['reset'])
    expect(write(EXPRESS + 9, 0xa8)).toEqual(['reset'])
    expect(write(AF + 4, 0x01)).toEqual(['reset'])
    expect(write(AF, 0, 0, 0, 0, 1, 0, 0, 0)).toEqual(['reset'])
  })

  it('lets every other write pass', () => {
    expect(write(0x04, 0x06, 0x04)).toEqual([])
    expect(write(0x05, 0x00)).toEqual([])
    expect(write(0x06, 0xff, 0xff)).toEqual([])
    expect(write(PM + 4, 0x00, 0x80)).toEqual([])
    expect(write(PM, 0xff, 0xff, 0xff, 0xff)).toEqual([])
    expect(write(EXPRESS + 8, 0xff, 0x7f)).toEqual([])
    expect(write(AF + 4, 0xfe)).toEqual([])
    expect(write(0x3c, 0x00)).toEqual([])
  })

  it('tells why memory cannot be reached', () => {
    expect(guard.memoryProblem).toBeUndefined()
    config.write16(PM + 4, 0x0003)
    expect(guard.memoryProblem).toBe('it is in the power state D3')
    config.write16(0x04, 0x0005)
    expect(guard.memoryProblem).toBe('its memory decoding is switched off')
  })

  it('goes by what was written last where the register has an older value back, as it has after D3hot', () => {
    write(PM + 4, 3)
    write(0x04, 0x05, 0x00)
    expect(config.read16(0x04)).toBe(0x0007)
    expect(guard.memoryProblem).toBe('its memory decoding is switched off')
    write(0x04, 0x07, 0x00)
    expect(guard.memoryProblem).toBeUndefined()
  })

  it('ends on a chain of capabilities that is a loop, and on a device that does not answer', () => {
    capability(VENDOR_SPECIFIC, 0x09, VENDOR_SPECIFIC)
    const device = { beforeMemoryGoes: () => warnings.push('memory'), beforeReset: () => warnings.push('reset') }
    guard = new ConfigGuard(config, device)
    expect(write(PM + 4, 3)).toEqual([])
    config.bytes.fill(0xff)
    guard = new ConfigGuard(config, device)
    expect(write(0x04, 0)).toEqual(['memory'])
  })
})
