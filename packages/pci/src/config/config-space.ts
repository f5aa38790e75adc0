import { invalidArgument } from '@openbar/linux/errors'
import type { RegisterAccess } from '../access/register-access.ts'
import { type BaseAddress, readBaseAddresses } from './base-address.ts'
import type { Capability, ExtendedCapability } from './capability-decoders.ts'
import type { CapabilityList } from './capability-list.ts'
import { CommandRegister } from './command-register.ts'
import { readCapabilities } from './read-capabilities.ts'
import { readExtendedCapabilities } from './read-extended-capabilities.ts'
import { StatusRegister } from './status-register.ts'

const HEADER_SIZE = 64

/**
 * A function's config space, by the specification's names: over sysfs, a VFIO region or a dump.
 *
 * It is a live view: each property reads. Errors are those of the {@link RegisterAccess} below.
 *
 * Source: PCI Local Bus 3.0 §6.1 and §6.2; PCI Express Base 5.0 §7.5.1.
 *
 * @example
 * ```ts
 * const config = new ConfigSpace(access)
 * config.command.busMasterEnable = true
 * console.log(config.capabilities().find('msix')?.tableSize)
 * ```
 */
export class ConfigSpace {
  readonly access: RegisterAccess
  /** Register 0x04, live. */
  readonly command: CommandRegister
  /** Register 0x06, live. */
  readonly status: StatusRegister

  /** @throws `ERR_INVALID_ARGUMENT` when `access` is smaller than the 64 bytes that every function has. */
  constructor(access: RegisterAccess) {
    if (access.size < HEADER_SIZE)
      throw invalidArgument('access', access, `at least ${HEADER_SIZE} bytes of config space`)
    this.access = access
    this.command = new CommandRegister(access)
    this.status = new StatusRegister(access)
  }

  /** 0x00. `0xffff` when nothing answers, and of an SR-IOV virtual function. */
  get vendorId(): number {
    return this.access.read16(0x00)
  }

  /** 0x02. */
  get deviceId(): number {
    return this.access.read16(0x02)
  }

  /** 0x08. */
  get revisionId(): number {
    return this.access.read8(0x08)
  }

  /** 0x09, 24 bits: base class, subclass, programming interface. `0x020000` is an Ethernet controller. */
  get classCode(): number {
    // One 32-bit read, as 24 bits would be two.
    return this.access.read32(0x08) >>> 8
  }

  /** 0x0c, in units of 4 bytes; without effect on PCI Express. */
  get cacheLineSize(): number {
    return this.access.read8(0x0c)
  }

  /** 0x0d, in bus clocks; 0 on PCI Express. */
  get latencyTimer(): number {
    return this.access.read8(0x0d)
  }

  /** 0x0e, the low 7 bits: 0 is a plain function, 1 a bridge, 2 a CardBus bridge. */
  get headerType(): number {
    return this.access.read8(0x0e) & 0x7f
  }

  /** 0x0e, bit 7: the device has more functions than this. */
  get multiFunction(): boolean {
    return (this.access.read8(0x0e) & 0x80) !== 0
  }

  /** 0x0f: the built-in self test's control and result. */
  get bist(): number {
    return this.access.read8(0x0f)
  }

  /** 0x10 and on: 6 registers, 2 of a bridge, none of other header types. Those that read 0 are left out. */
  get baseAddresses(): readonly BaseAddress[] {
    const counts: Readonly<Record<number, number>> = { 0: 6, 1: 2 }
    return readBaseAddresses(this.access, counts[this.headerType] ?? 0)
  }

  /** 0x2c; `undefined` unless the header type is 0. Bridges may have a capability for it. */
  get subsystemVendorId(): number | undefined {
    return this.headerType === 0 ? this.access.read16(0x2c) : undefined
  }

  /** 0x2e; `undefined` unless the header type is 0. */
  get subsystemId(): number | undefined {
    return this.headerType === 0 ? this.access.read16(0x2e) : undefined
  }

  /**
   * 0x34, the first capability's offset with its two reserved bits cleared; means nothing unless
   * `status.capabilitiesList`.
   */
  get capabilitiesPointer(): number {
    return this.access.read8(0x34) & ~0b11
  }

  /** 0x3c: what firmware and the system left there about the interrupt's routing. */
  get interruptLine(): number {
    return this.access.read8(0x3c)
  }

  /** 0x3d: 1 to 4 for INTA to INTD; 0 when the function has no INTx. */
  get interruptPin(): number {
    return this.access.read8(0x3d)
  }

  /**
   * Walks the capabilities of the first 256 bytes and decodes those it knows, as they are now.
   *
   * Any content ends: a chain that is a loop, leads out of what can be read or into nothing gives its good part and
   * `broken`.
   *
   * @example
   * ```ts
   * const { items, broken } = config.capabilities()
   * ```
   */
  capabilities(): CapabilityList<Capability> {
    return readCapabilities(this.access)
  }

  /**
   * Walks the capabilities from 0x100 on, as {@link ConfigSpace.capabilities} does; none where config space has only
   * 256 bytes.
   *
   * Source: PCI Express Base 5.0 §7.6.
   *
   * @example
   * ```ts
   * config.extendedCapabilities().find('deviceSerialNumber')?.serialNumber
   * ```
   */
  extendedCapabilities(): CapabilityList<ExtendedCapability> {
    return readExtendedCapabilities(this.access)
  }
}
