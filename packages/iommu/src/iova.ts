import { invalidArgument } from '@openbar/linux'
import { bigToNumber, fits64 } from './words.ts'

/**
 * An I/O virtual address as a caller may give it.
 *
 * The rule throughout: sizes are `number`; addresses come back as `bigint`, and whoever takes one takes a safe
 * integer too.
 */
export type Iova = number | bigint

/** The largest IOVA there can be. */
export const MAX_IOVA = 0xffff_ffff_ffff_ffffn

/** What stands for an address that no double holds: a multiple of no page size. */
const NO_PAGE = 1

/**
 * Checks an address and makes it a bigint.
 *
 * @throws {@link OpenbarError} `ERR_INVALID_ARGUMENT` for a fraction, an unsafe number, or one outside 64 bits.
 *
 * @example
 * ```ts
 * toIova(0x1000_0000) // 0x10000000n
 * ```
 */
export function toIova(value: Iova, argument = 'iova'): bigint {
  if (isAddress(value)) return BigInt(value)
  throw addressError(argument, value)
}

/**
 * Checks an address and makes it a number: the address itself when it is a multiple of a page, and something that is no
 * multiple of a page otherwise.
 *
 * @throws {@link OpenbarError} `ERR_INVALID_ARGUMENT` as {@link toIova}.
 *
 * @example
 * ```ts
 * toPageAddress(0xffff_ffff_ffff_f000n) // 2 ** 64 - 4096
 * ```
 */
export function toPageAddress(value: Iova, argument = 'iova'): number {
  if (typeof value === 'bigint') {
    // Whether it has 53 bits and no sign, by one comparison of machine words.
    return BigInt.asUintN(53, value) === value ? bigToNumber(value) : farPageAddress(value, argument)
  }
  if (Number.isSafeInteger(value) && value >= 0) return value
  throw addressError(argument, value)
}

/**
 * Checks a size in bytes.
 *
 * @throws {@link OpenbarError} `ERR_INVALID_ARGUMENT` for anything but a positive safe integer.
 *
 * @example
 * ```ts
 * assertSize(4096)
 * ```
 */
export function assertSize(size: number, argument = 'size'): void {
  if (!Number.isSafeInteger(size) || size <= 0) throw invalidArgument(argument, size, 'a positive number of bytes')
}

/** An IOVA as messages show it: `0x10000000`. */
export function formatIova(iova: bigint): string {
  return `0x${iova.toString(16)}`
}

/** A range as messages show it: `0x10000000-0x10000fff`, inclusive. */
export function formatRange(iova: bigint, size: bigint): string {
  return `${formatIova(iova)}-${formatIova(iova + size - 1n)}`
}

function farPageAddress(value: bigint, argument: string): number {
  if (!fits64(value)) throw addressError(argument, value)
  // Beyond 2^53 only multiples of a page are sure to be exact; another one could be rounded to one.
  return (value & 0xfffn) === 0n ? bigToNumber(value) : NO_PAGE
}

function isAddress(value: Iova): boolean {
  if (typeof value === 'number') return Number.isSafeInteger(value) && value >= 0
  return typeof value === 'bigint' && fits64(value)
}

function addressError(argument: string, value: unknown): Error {
  return invalidArgument(argument, value, 'an address from 0 to 2^64 - 1: a safe integer or a bigint')
}
