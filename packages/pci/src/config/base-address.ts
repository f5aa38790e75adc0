import type { RegisterAccess } from '../access/register-access.ts'
import type { ResourceKind } from '../sysfs/resource.ts'

/** A base address register as config space holds it. */
export interface BaseAddress {
  /** Which register, 0 to 5; a 64-bit one takes this and the next. */
  readonly index: number
  readonly kind: ResourceKind
  readonly prefetchable: boolean
  /** Where firmware or the kernel put it: a bus address or port, 0 when nowhere. */
  readonly address: bigint
}

const FIRST = 0x10
const IO_SPACE = 1
const TYPE_64 = 0b100
const TYPE = 0b110
const PREFETCHABLE = 0b1000

/**
 * The base address registers of a header.
 *
 * A register that reads 0 is left out: one that is not implemented and a 32-bit memory one without an address look
 * alike. Sizes are not there to be read; sysfs has them, see `readFunction`.
 *
 * Source: PCI Local Bus 3.0 §6.2.5.1.
 *
 * @param access - The config space.
 * @param count - How many registers the header has: 6, or 2 of a bridge.
 */
export function readBaseAddresses(access: RegisterAccess, count: number): BaseAddress[] {
  const found: BaseAddress[] = []
  for (let index = 0; index < count; index++) {
    const low = access.read32(FIRST + 4 * index)
    if (low === 0) continue
    if ((low & IO_SPACE) !== 0) {
      found.push({ index, kind: 'io', prefetchable: false, address: BigInt((low & ~0b11) >>> 0) })
      continue
    }
    // The last register cannot be a 64-bit one: there is no next to hold the upper half.
    const wide = (low & TYPE) === TYPE_64 && index + 1 < count
    const high = wide ? access.read32(FIRST + 4 * (index + 1)) : 0
    found.push({
      index,
      kind: wide ? 'memory64' : 'memory32',
      prefetchable: (low & PREFETCHABLE) !== 0,
      address: (BigInt(high) << 32n) | BigInt((low & ~0b1111) >>> 0),
    })
    if (wide) index++
  }
  return found
}
