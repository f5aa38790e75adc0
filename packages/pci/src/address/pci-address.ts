import { invalidArgument } from '@openbar/linux/errors'

/** A PCI function's address, as text (`0000:03:00.0`, or `03:00.0` in domain 0) or parsed. */
export type PciAddressLike = string | PciAddress

const FORM = /^(?:([0-9a-f]{4,8}):)?([0-9a-f]{2}):([01][0-9a-f])\.([0-7])$/i

const EXPECTED = "a PCI address such as '0000:03:00.0' or '03:00.0' (hexadecimal domain:bus:device.function)"

/**
 * Where a PCI function sits: domain (segment), bus, device and function. Immutable.
 *
 * Buses are 8 bits, devices 5, functions 3 (PCI Local Bus 3.0 §3.2.2.3.2); domains are Linux's, 16 bits from firmware
 * and up to 32 for those that drivers make, such as Intel VMD's `10000`.
 *
 * @example
 * ```ts
 * const address = PciAddress.from('03:00.1')
 * address.bus        // 3
 * address.function   // 1
 * `${address}`       // '0000:03:00.1'
 * ```
 */
export class PciAddress {
  /** Domain (PCI segment group), 0 on most machines. */
  readonly domain: number
  /** Bus, 0 to 255. */
  readonly bus: number
  /** Device, 0 to 31. */
  readonly device: number
  /** Function, 0 to 7. */
  readonly function: number

  /**
   * @throws `ERR_INVALID_ARGUMENT` when a part is no whole number or too large.
   */
  constructor(domain: number, bus: number, device: number, fn: number) {
    this.domain = checkPart('domain', domain, 0xffff_ffff)
    this.bus = checkPart('bus', bus, 0xff)
    this.device = checkPart('device', device, 0x1f)
    this.function = checkPart('function', fn, 7)
  }

  /**
   * Takes an address in either of the forms that public functions accept.
   *
   * @throws `ERR_INVALID_ARGUMENT` when text is not an address.
   *
   * @example
   * ```ts
   * PciAddress.from('0000:00:1f.2').device // 31
   * ```
   */
  static from(address: PciAddressLike): PciAddress {
    if (address instanceof PciAddress) return address
    const parts = typeof address === 'string' ? FORM.exec(address) : null
    if (parts === null) throw invalidArgument('address', address, EXPECTED)
    const [, domain = '0', bus = '', device = '', fn = ''] = parts
    return new PciAddress(hex(domain), hex(bus), hex(device), hex(fn))
  }

  /**
   * Orders addresses by domain, bus, device and function; for `Array.prototype.sort`.
   *
   * @example
   * ```ts
   * functions.sort((a, b) => PciAddress.compare(a.address, b.address))
   * ```
   */
  static compare(a: PciAddressLike, b: PciAddressLike): number {
    const [left, right] = [PciAddress.from(a), PciAddress.from(b)]
    return left.domain - right.domain || left.routingId - right.routingId
  }

  /**
   * Bus, device and function in 16 bits: the Routing ID of PCI Express Base 5.0 §2.2.4.2, which transactions carry as
   * requester and which IOMMU faults name.
   *
   * @example
   * ```ts
   * PciAddress.from('03:00.1').routingId // 0x0301
   * ```
   */
  get routingId(): number {
    return (this.bus << 8) | (this.device << 3) | this.function
  }

  /**
   * Whether both name the same function.
   *
   * @example
   * ```ts
   * PciAddress.from('03:00.0').equals('0000:03:00.0') // true
   * ```
   */
  equals(other: PciAddressLike): boolean {
    return PciAddress.compare(this, other) === 0
  }

  /** The full form, as sysfs names its directories: `0000:03:00.0`. */
  toString(): string {
    return `${digits(this.domain, 4)}:${digits(this.bus, 2)}:${digits(this.device, 2)}.${this.function}`
  }

  /** The full form, so that JSON shows `"0000:03:00.0"`. */
  toJSON(): string {
    return this.toString()
  }
}

function checkPart(name: string, value: number, max: number): number {
  if (Number.isInteger(value) && value >= 0 && value <= max) return value
  throw invalidArgument(name, value, `a whole number from 0 to ${max}`)
}

function hex(text: string): number {
  return Number.parseInt(text, 16)
}

function digits(value: number, length: number): string {
  return value.toString(16).padStart(length, '0')
}
