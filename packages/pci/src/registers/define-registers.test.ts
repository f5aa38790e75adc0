import { describe, expect, expectTypeOf, it } from 'vitest'
import { sample } from '../testing/sample-registers.ts'
import { defineRegisters } from './define-registers.ts'
import type { RegisterDefinition } from './register-definition.ts'

describe('defineRegisters', () => {
  it('gives masks and shifts as constants', () => {
    expect([sample.CTRL.FD, sample.CTRL.SPEED, sample.CTRL.SPEED_SHIFT]).toEqual([1, 0x300, 8])
    expect([sample.CTRL.RST, sample.CTRL.RST_SHIFT]).toEqual([0x8000_0000, 31])
    expect([sample.RING.BASE, sample.RING.BASE_SHIFT]).toEqual([0xffff_ffff_ffff_f000n, 12n])
    expectTypeOf(sample.CTRL.RST).toEqualTypeOf<number>()
    expectTypeOf(sample.RING.BASE).toEqualTypeOf<bigint>()
    // @ts-expect-error there is no such field
    expect(sample.CTRL.RTS).toBeUndefined()
  })

  it('knows which registers a read changes', () => {
    const table = defineRegisters({
      FIFO: { offset: 0, access: 'ro', readEffect: true, description: 'Next word' },
      COUNT: { offset: 4, access: 'rc', readEffect: false, description: 'Counts on, whatever the datasheet says' },
    })
    expect([table.FIFO.readEffect, table.COUNT.readEffect]).toEqual([true, false])
    expect([sample.CTRL, sample.ERRORS, sample.PENDING].map(({ readEffect }) => readEffect)).toEqual([
      false,
      true,
      true,
    ])
    // @ts-expect-error no boolean
    expect(() => defineRegisters({ A: { offset: 0, access: 'ro', readEffect: 1, description: '' } })).toThrow(
      /A\.readEffect/,
    )
  })

  it('describes registers, for documentation', () => {
    expect(sample.FILTER).toMatchObject({ name: 'FILTER', offset: 0x40, width: 32, count: 4, stride: 8, access: 'rw' })
    expect(sample.CTRL.fields.SPEED).toMatchObject({ high: 9, low: 8, description: 'Speed', access: 'rw' })
    expect(sample.TAG).toMatchObject({ width: 16, stride: 2, fields: {} })
    expectTypeOf(sample.FILTER.count).toEqualTypeOf<number>()
  })

  it('cannot be changed', () => {
    expect(() => Object.assign(sample.CTRL, { RST: 1 })).toThrow(TypeError)
  })

  const bit = (index: number) => ({ bit: index, description: '' })
  it.each<[string, object, RegExp]>([
    ['a misaligned offset', { offset: 2 }, /R\.offset must be a multiple of the register's 4 bytes, not 2/],
    ['a negative offset', { offset: -4 }, /R\.offset/],
    ['a stride that misaligns', { count: 2, stride: 6 }, /R\.stride/],
    ['a stride of nothing', { count: 2, stride: 0 }, /R\.stride/],
    ['a broken count', { count: 1.5 }, /R\.count/],
    ['an unknown width', { width: 24 }, /R\.width must be 8, 16, 32 or 64/],
    ['an unknown kind', { access: 'r' }, /R\.access must be one of ro, wo/],
    ['a misspelt property', { feilds: {} }, /R\.feilds must be one of offset/],
    ['a misspelt property of a field', { fields: { A: { ...bit(1), value: {} } } }, /R\.A\.value/],
    ['a field outside', { fields: { A: bit(32) } }, /R\.A must be inside the register's bits, 31 to 0/],
    ['bits the wrong way round', { fields: { A: { bits: [0, 3], description: '' } } }, /R\.A must be inside/],
    ['a field without place', { fields: { A: { description: '' } } }, /R\.A must be either a bit or bits/],
    ['fields that overlap', { fields: { A: bit(3), B: { bits: [4, 3], description: '' } } }, /R\.B must be apart/],
    ['a name that the table needs', { fields: { offset: bit(3) } }, /R\.offset must be none of name, offset/],
    ['a name that is a shift', { fields: { A: bit(3), A_SHIFT: bit(4) } }, /R\.A_SHIFT must be a name that is not/],
    [
      'a value that does not fit',
      { fields: { A: { ...bit(3), values: { two: 2 } } } },
      /R\.A\.two must be less than 2/,
    ],
    [
      'a value with two names',
      { fields: { A: { ...bit(3), values: { a: 1, b: 1 } } } },
      /R\.A\.b must be a value that has/,
    ],
  ])('refuses %s', (_, change, message) => {
    const good: RegisterDefinition = { offset: 0, access: 'rw', description: '' }
    expect(() => defineRegisters({ R: { ...good, ...change } })).toThrow(message)
  })
})
