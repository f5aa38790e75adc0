import { bindRegisters, isOpenbarError } from '@openbar/vfio'
import { describe, expect, it } from 'vitest'
import { MemoryRegisters } from '../testing/memory-registers.ts'
import { readEepromWord, readMacAddress } from './eeprom.ts'
import { type E1000Model, findModel, models } from './models.ts'
import { e1000Registers as table } from './registers.ts'

/** An EEPROM behind EERD, laid out as the model's datasheet says; silent for words that it does not have. */
class Eeprom extends MemoryRegisters {
  readonly words: Uint16Array
  readonly #model: E1000Model

  constructor(model: E1000Model, words: Uint16Array) {
    super()
    this.#model = model
    this.words = words
  }

  override write32(offset: number, value: number): void {
    super.write32(offset, offset === table.EERD.offset ? this.#answer(value) : value)
  }

  #answer(request: number): number {
    const word = this.words[(request >>> this.#model.eerd.addressShift) & 0xff]
    return word === undefined || (request & 1) === 0 ? 0 : ((word << 16) | this.#model.eerd.done) >>> 0
  }
}

function goodWords(): Uint16Array {
  const words = Uint16Array.from({ length: 64 }, (_, index) => index * 0x321)
  words.set([0x5452, 0x1200, 0x5634])
  const sum = words.subarray(0, 63).reduce((total, word) => total + word, 0)
  words[63] = 0xbaba - sum
  return words
}

describe.each(models)('the EEPROM of the $name', (model) => {
  it('is read word by word, and begins with the MAC address', () => {
    const regs = bindRegisters(table, new Eeprom(model, goodWords()))
    expect(readEepromWord(regs, model, 3)).toBe(3 * 0x321)
    expect([...readMacAddress(regs, model)]).toEqual([0x52, 0x54, 0x00, 0x12, 0x34, 0x56])
  })

  it('is refused when one bit is wrong', () => {
    const words = goodWords()
    words[17]! ^= 0x0100
    const regs = bindRegisters(table, new Eeprom(model, words))
    expect(() => readMacAddress(regs, model)).toThrow('and not to 0xbaba')
  })

  it('is given up when it does not answer', () => {
    const regs = bindRegisters(table, new Eeprom(model, new Uint16Array(2)))
    try {
      readEepromWord(regs, model, 2)
      expect.unreachable()
    } catch (error) {
      expect(isOpenbarError(error, 'ERR_DEVICE_FAULT')).toBe(true)
    }
  })
})

describe('findModel', () => {
  it('knows the three controllers and no other', () => {
    expect(findModel(0x8086, 0x100e)?.name).toBe('82540EM')
    expect(findModel(0x8086, 0x100f)?.name).toBe('82545EM')
    expect(findModel(0x8086, 0x10d3)?.name).toBe('82574L')
    expect(findModel(0x8086, 0x10d4)).toBeUndefined()
    expect(findModel(0x1af4, 0x100e)).toBeUndefined()
  })
})
