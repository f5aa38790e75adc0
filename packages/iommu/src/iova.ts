import { invalidArgument } from '@openbar/linux'

/**
 * An I/O virtual address as a caller may give it.
 *
 * The rule throughout: sizes are `number`; addresses come back as `bigint`, and whoever takes one takes a safe
 * integer too.
 */
export type Iova = number | bigint

/** The largest IOVA there can be. */
export const MAX_IOVA = 0xffff_ffff_ffff_ffffn

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
  if (typeof value === 'bigint' ? value >= 0n && value <= MAX_IOVA : Number.isSafeInteger(value) && value >= 0) {
    return BigInt(value)
  }
  throw invalidArgument(argument, value, 'an address from 0 to 2^64 - 1: a safe integer or a bigint')
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
