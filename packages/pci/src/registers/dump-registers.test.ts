import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { BufferAccess } from '../access/buffer-access.ts'
import { sample } from '../testing/sample-registers.ts'
import { decodeFields } from './decode-fields.ts'
import { dumpRegisters } from './dump-registers.ts'
import { encodeFields } from './encode-fields.ts'
import { traceAccess } from './trace-access.ts'
import type { TraceEvent } from './trace-event.ts'

describe('dumpRegisters', () => {
  it('decodes what can be read without side effect', () => {
    const memory = new BufferAccess(new Uint8Array(0x60))
    memory.write32(4, 2)
    memory.write64(0x20, 0x1000n)
    const dump = dumpRegisters(sample, memory)
    expect(dump.map((register) => register.name)).toEqual([
      'CTRL',
      'STATUS',
      'CAUSE',
      'MASK',
      'PORT',
      'TAG',
      'RING',
      'FILTER[0]',
      'FILTER[1]',
      'FILTER[2]',
      'FILTER[3]',
    ])
    expect(dump[1]).toMatchObject({ offset: 4, value: 2, fields: { LU: true }, info: { description: 'Status' } })
    expect(dump[6]).toMatchObject({ value: 0x1000n, fields: { BASE: 1n } })
  })

  it('reads what a read clears only when asked to', () => {
    const names = dumpRegisters(sample, new BufferAccess(new Uint8Array(0x60)), { readClearing: true }).map(
      (r) => r.name,
    )
    expect(names).toContain('ERRORS')
    expect(names).toContain('PENDING')
    expect(names).not.toContain('DOORBELL')
  })
})

describe('fields', () => {
  it('survive taking apart and putting together', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 0xffff_ffff }), (value) => {
        const { MODEL, ...fields } = decodeFields(sample.CTRL, value)
        const all = Object.values(sample.CTRL.fields).reduce((mask, f) => mask | (2 ** (f.high + 1) - 2 ** f.low), 0)
        const model = MODEL ? sample.CTRL.MODEL : 0
        expect(encodeFields(sample.CTRL, fields, model)).toBe((value & all) >>> 0)
      }),
    )
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), (value) => {
        expect(encodeFields(sample.RING, decodeFields(sample.RING, value), value)).toBe(value)
      }),
    )
  })
})

describe('traceAccess', () => {
  it('tells every access, named and decoded', () => {
    const events: TraceEvent[] = []
    const memory = new BufferAccess(new Uint8Array(0x60))
    const traced = traceAccess(memory, sample, (event) => events.push(event))
    traced.write32(0x48, 1 << 31)
    traced.read16(0)
    traced.write64(0x20, -1n)
    traced.read8(0x1c)
    traced.write8(0x1c, -1)
    traced.write16(0x50, 0x1_0001)
    traced.read64(0x20)
    expect(traced.read32(0x30)).toBe(0)
    expect(events.map(({ operation, register, width, value }) => [operation, register, width, value])).toEqual([
      ['write', 'FILTER[1]', 32, 0x8000_0000],
      ['read', 'CTRL', 16, 0],
      ['write', 'RING', 64, 0xffff_ffff_ffff_ffffn],
      ['read', 'PORT', 8, 0],
      ['write', 'PORT', 8, 0xff],
      ['write', 'FILTER[2]', 16, 1],
      ['read', 'RING', 64, 0xffff_ffff_ffff_ffffn],
      ['read', undefined, 32, 0],
    ])
    expect(events[0]?.fields).toEqual({ VALID: true })
    expect(events[1]?.fields).toBeUndefined()
    expect(traced.size).toBe(0x60)
  })

  it('passes errors through and tells nothing', () => {
    const events: TraceEvent[] = []
    const traced = traceAccess(new BufferAccess(new Uint8Array(4)), sample, (event) => events.push(event))
    expect(() => traced.read32(4)).toThrow(expect.objectContaining({ code: 'ERR_OUT_OF_BOUNDS' }))
    expect(events).toEqual([])
  })
})
