// 2^32 stands here as a literal, which V8 compiles into the code; a constant of a bundled module it loads and checks each time.

export const { bigToNumber, numberToBig, fits64 } = makeConversions()

function makeConversions() {
  // Eight bytes, as one whole number and as its two halves, low first: typed arrays convert without making bigints on the way.
  // In a closure, where V8 takes them for constants.
  const whole = new BigUint64Array(1)
  const halves = new Uint32Array(whole.buffer)
  return {
    /** A 64-bit value as a number: exact for a multiple of a page, and for all below 2^53. */
    bigToNumber(value: bigint): number {
      whole[0] = value
      const high = halves[1]!
      // Most are small, and stay small integers this way.
      return high === 0 ? halves[0]! : high * 0x1_0000_0000 + halves[0]!
    },

    /** A whole number below 2^64 as a bigint. */
    numberToBig(value: number): bigint {
      halves[0] = value >>> 0
      halves[1] = value / 0x1_0000_0000
      return whole[0]!
    },

    /** Whether a bigint has 64 bits at most, and no sign. */
    fits64(value: bigint): boolean {
      whole[0] = value
      return whole[0] === value
    },
  }
}

/** Writes a whole number below 2^64 where a struct has a u64; the index counts the words of 32 bits before it. */
export function writeU64(words: Uint32Array, index: number, value: number): void {
  words[index] = value
  // Where all have been small integers so far, V8 knows while it compiles that the upper half is 0.
  words[index + 1] = value > 0x7fff_ffff ? value / 0x1_0000_0000 : 0
}

/** The same for a pointer into this process, which is never small: apart, so that V8 learns nothing from these for the others. */
export function writePointer(words: Uint32Array, index: number, value: number): void {
  words[index] = value
  words[index + 1] = value / 0x1_0000_0000
}

/** Reads a u64 of a struct as a number: exact for a multiple of a page. */
export function readU64(words: Uint32Array, index: number): number {
  return words[index + 1]! * 0x1_0000_0000 + words[index]!
}
