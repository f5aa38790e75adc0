import { OpenbarError } from '@openbar/vfio'
import type { E1000Model } from './models.ts'
import type { E1000Registers } from './registers.ts'

const START = 1
const DATA_SHIFT = 16
const CHECKED_WORDS = 0x40
const CHECKSUM = 0xbaba
const TIMEOUT_MS = 10

/**
 * Reads a word of the EEPROM.
 *
 * SDM 5.3.1 and 13.4.4, 82574 10.2.2.4: write the address and START to EERD, wait for DONE, take the data from the
 * upper half. A word takes some tens of microseconds, so waiting for it does not pay a trip through the event loop.
 *
 * @param address - Word address.
 * @throws {@link OpenbarError} `ERR_DEVICE_FAULT` when DONE does not come.
 */
export function readEepromWord(regs: E1000Registers, model: E1000Model, address: number): number {
  const { addressShift, done } = model.eerd
  regs.EERD.write((address << addressShift) | START)
  const end = performance.now() + TIMEOUT_MS
  do {
    const value = regs.EERD.read()
    if ((value & done) !== 0) return value >>> DATA_SHIFT
  } while (performance.now() < end)
  throw eepromError(model, `word ${address} did not come within ${TIMEOUT_MS} ms`)
}

/**
 * Reads the MAC address that the NIC was made with, after the checksum of the EEPROM was found right.
 *
 * SDM 5.6, 82574 6.1.1: words 0 to 3f sum to BABA; words 0 to 2 are the address, low byte first.
 *
 * @returns Six bytes.
 * @throws {@link OpenbarError} `ERR_DEVICE_FAULT` when the checksum is wrong.
 */
export function readMacAddress(regs: E1000Registers, model: E1000Model): Uint8Array {
  const words = Array.from({ length: CHECKED_WORDS }, (_, address) => readEepromWord(regs, model, address))
  const sum = words.reduce((total, word) => (total + word) & 0xffff, 0)
  if (sum !== CHECKSUM) throw eepromError(model, `its words sum to 0x${sum.toString(16)} and not to 0xbaba`)
  return Uint8Array.from(words.slice(0, 3).flatMap((word) => [word & 0xff, word >>> 8]))
}

function eepromError(model: E1000Model, what: string): OpenbarError<'ERR_DEVICE_FAULT'> {
  return new OpenbarError('ERR_DEVICE_FAULT', {
    message: `The EEPROM of the ${model.name} is not right: ${what}.`,
    hint: 'The EEPROM is damaged or empty, or the device is not what its PCI id says.',
    context: { address: model.name, what: 'EEPROM' },
  })
}
