import { describe, expect, expectTypeOf, it } from 'vitest'
import { BufferAccess } from '../access/buffer-access.ts'
import { sample } from '../testing/sample-registers.ts'
import { bindRegisters } from './bind-registers.ts'
import { traceAccess } from './trace-access.ts'

/** Registers over memory, and what was done to them. */
function open() {
  const memory = new BufferAccess(new Uint8Array(0x60))
  const log: string[] = []
  const access = traceAccess(memory, sample, (event) => {
    log.push(`${event.operation} ${event.register} ${event.value.toString(16)}`)
  })
  return { memory, log, regs: bindRegisters(sample, access) }
}

describe('a bound register', () => {
  it('reads and writes in its own width', () => {
    const { memory, regs } = open()
    regs.CTRL.write(0xdead_beef)
    regs.PORT.write(0x12)
    regs.TAG.write(0x3456)
    regs.RING.write(0x1122_3344_5566_7788n)
    expect([memory.read32(0), memory.read8(0x1c), memory.read16(0x1e), memory.read64(0x20)]).toEqual([
      0xdead_beef,
      0x12,
      0x3456,
      0x1122_3344_5566_7788n,
    ])
    expect([regs.CTRL.read(), regs.PORT.read(), regs.TAG.read(), regs.RING.read()]).toEqual([
      0xdead_beef,
      0x12,
      0x3456,
      0x1122_3344_5566_7788n,
    ])
    expect(memory.read8(0x1d)).toBe(0)
  })

  it('takes values apart', () => {
    const { regs } = open()
    regs.CTRL.write(0x8142_0200)
    expect(regs.CTRL.fields()).toEqual({ FD: false, SPEED: '1000M', COUNT: 0x42, ERROR: true, MODEL: false, RST: true })
    regs.CTRL.write(0x300)
    expect(regs.CTRL.fields().SPEED).toBe(3)
    regs.RING.write(0xffff_ffff_ffff_f007n)
    expect(regs.RING.fields()).toEqual({ BASE: 0xf_ffff_ffff_ffffn, KIND: 'both', FAULT: false, ENABLE: true })
    regs.RING.write(2n)
    expect(regs.RING.fields().KIND).toBe(1n)
    expectTypeOf(regs.CTRL.fields().RST).toEqualTypeOf<boolean>()
    expectTypeOf(regs.CTRL.fields().COUNT).toEqualTypeOf<number>()
    expectTypeOf(regs.CTRL.fields().SPEED).toEqualTypeOf<'10M' | '100M' | '1000M' | number>()
    expectTypeOf(regs.RING.fields().BASE).toEqualTypeOf<bigint>()
  })

  it('sets, clears and updates with one read and one write', () => {
    const { log, regs } = open()
    regs.CTRL.set('RST')
    regs.CTRL.set(sample.CTRL.FD | sample.CTRL.SPEED)
    regs.CTRL.clear('FD')
    regs.CTRL.update({ SPEED: '100M', COUNT: 255, RST: false })
    regs.CTRL.update({ SPEED: 2 })
    expect(log.filter((line) => line.startsWith('write'))).toEqual([
      'write CTRL 80000000',
      'write CTRL 80000301',
      'write CTRL 80000300',
      'write CTRL ff0100',
      'write CTRL ff0200',
    ])
    expect(log).toHaveLength(10)
  })

  it('does so in 64 bits', () => {
    const { memory, regs } = open()
    regs.RING.update({ BASE: 0xabcden, ENABLE: true, KIND: 'both' })
    expect(memory.read64(0x20)).toBe(0xabcd_e007n)
    regs.RING.set('ENABLE')
    regs.RING.clear(sample.RING.KIND)
    expect(memory.read64(0x20)).toBe(0xabcd_e001n)
    regs.RING.writeFields({ KIND: 3n })
    memory.write64(0x20, 0xfn)
    regs.RING.clear('ENABLE')
    expect(memory.read64(0x20)).toBe(6n)
    regs.RING.clear('FAULT')
    expect(memory.read64(0x20)).toBe(0xen)
  })

  it('never clears a write-one-to-clear field by accident', () => {
    const { memory, regs } = open()
    memory.write32(0, 0x0100_0000)
    regs.CTRL.set('FD')
    expect(memory.read32(0)).toBe(1)
    memory.write32(0, 0x0100_0001)
    regs.CTRL.update({ COUNT: 1 })
    expect(memory.read32(0)).toBe(0x0001_0001)
    memory.write32(0, 0x0100_0001)
    regs.CTRL.clear('ERROR')
    expect(memory.read32(0)).toBe(0x0100_0001)
  })

  it('writes without reading where writing ones is a command', () => {
    const { log, regs } = open()
    regs.CAUSE.clear('RX')
    regs.PENDING.clear(sample.PENDING.RX)
    regs.MASK.set('RX')
    regs.DOORBELL.writeFields({ QUEUE: 5 })
    expect(log).toEqual(['write CAUSE 80', 'write PENDING 80', 'write MASK 80', 'write DOORBELL 5'])
  })

  it('does not compile where its kind forbids', () => {
    const { regs } = open()
    // @ts-expect-error read-only
    void regs.STATUS.write
    // @ts-expect-error write-only
    void regs.DOORBELL.read
    // @ts-expect-error read-modify-write of a write-one-to-clear register
    expect(() => regs.CAUSE.set('RX')).toThrow(/Fields of CAUSE cannot be set .* its kind is rw1c/)
    // @ts-expect-error a read would clear it
    expect(() => regs.ERRORS.update({})).toThrow(expect.objectContaining({ code: 'ERR_NOT_SUPPORTED' }))
    // @ts-expect-error the field is read-only
    regs.CTRL.set('MODEL')
    // @ts-expect-error the field is read-only
    regs.CTRL.update({ MODEL: true })
    // @ts-expect-error bigint is for 64 bits
    expect(() => regs.CTRL.write(1n)).toThrow(TypeError)
    // @ts-expect-error and so in memory
    expect(() => bindRegisters(sample, new BufferAccess(new Uint8Array(0x60))).CTRL.write(1n)).toThrow(TypeError)
    // @ts-expect-error an array has elements
    void regs.FILTER.read
  })

  it('refuses fields and values that there are not', () => {
    const { regs } = open()
    expect(() => regs.CTRL.update({ COUNT: 256 })).toThrow('CTRL.COUNT must be 0 to 255, not 256.')
    expect(() => regs.CTRL.update({ COUNT: -1 })).toThrow(/CTRL\.COUNT/)
    expect(() => regs.RING.update({ BASE: 1n << 52n })).toThrow(/RING\.BASE must be 0 to 4503599627370495/)
    // @ts-expect-error no such name
    expect(() => regs.CTRL.update({ SPEED: '2500M' })).toThrow(/0 to 3 or one of 10M, 100M, 1000M, not '2500M'/)
    // @ts-expect-error no such field
    expect(() => regs.CTRL.set('RTS')).toThrow(/field must be a field of CTRL: FD, SPEED/)
    // @ts-expect-error no such field
    expect(() => regs.CTRL.update({ RTS: true })).toThrow(/fields must be a field of CTRL/)
  })
})

describe('a register outside of its access', () => {
  it('can be bound, and refuses to be used', () => {
    const regs = bindRegisters(sample, new BufferAccess(new Uint8Array(0x20)))
    regs.TAG.write(1)
    const outside = expect.objectContaining({ code: 'ERR_OUT_OF_BOUNDS' })
    expect(() => regs.RING.read()).toThrow(outside)
    expect(() => regs.RING.write(1n)).toThrow(outside)
    expect(() => regs.FILTER.at(0).read()).toThrow(outside)
  })
})

describe('a read whose result is not used', () => {
  it('is one access, by whatever method', () => {
    const { log, regs } = open()
    regs.STATUS.flush()
    regs.RING.flush()
    expect(log).toEqual(['read STATUS 0', 'read RING 0'])
  })
})

describe('an array', () => {
  it('has its elements apart by the stride', () => {
    const { memory, regs } = open()
    regs.FILTER.at(3).set('VALID')
    expect(memory.read32(0x58)).toBe(0x8000_0000)
    expect([regs.FILTER.length, regs.FILTER.at(3).name, regs.FILTER.at(3).offset]).toEqual([4, 'FILTER[3]', 0x58])
    expect([...regs.FILTER].map((register) => register.fields().VALID)).toEqual([false, false, false, true])
    expect(regs.FILTER.at(1)).toBe(regs.FILTER.at(1))
  })

  it('refuses an index that is not there', () => {
    expect(() => open().regs.FILTER.at(4)).toThrow("FILTER's index must be from 0 to 3, not 4.")
    expect(() => open().regs.FILTER.at(-1)).toThrow(/index/)
  })
})
