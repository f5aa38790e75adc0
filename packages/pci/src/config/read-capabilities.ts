import type { RegisterAccess } from '../access/register-access.ts'
import { type Capability, capabilityDecoders } from './capability-decoders.ts'
import { CapabilityList } from './capability-list.ts'
import { capabilityNames } from './capability-names.ts'
import { at, chainBreak } from './chain-break.ts'
import { decodeChain } from './decode-chain.ts'
import { walkChain } from './walk-chain.ts'

const STATUS = 0x06
const CAPABILITIES_LIST = 1 << 4
const HEADER_TYPE = 0x0e
/** Where the capabilities pointer is, by header type: PCI Local Bus 3.0 §6.7; CardBus bridges have their own place. */
const POINTERS: Readonly<Record<number, number>> = { 0: 0x34, 1: 0x34, 2: 0x14 }
const NO_CAPABILITY = 0xff

/** Walks and decodes the capabilities of the first 256 bytes. */
export function readCapabilities(access: RegisterAccess): CapabilityList<Capability> {
  const status = access.read16(STATUS)
  // Not the vendor ID: that of an SR-IOV virtual function reads all ones, too.
  if (status === 0xffff)
    return new CapabilityList([], chainBreak(STATUS, 'The function does not answer: it reads all ones.'))
  if ((status & CAPABILITIES_LIST) === 0) return new CapabilityList<Capability>([], undefined)
  const headerType = access.read8(HEADER_TYPE) & 0x7f
  const pointer = POINTERS[headerType]
  if (pointer === undefined) {
    const message = `Header type ${at(headerType)} is unknown, and with it the place of the capabilities pointer.`
    return new CapabilityList([], chainBreak(HEADER_TYPE, message))
  }
  const shape = {
    lowest: 0x40,
    readLink: (offset: number) => {
      const value = access.read16(offset)
      const id = value & 0xff
      return id === NO_CAPABILITY ? undefined : { id, next: value >>> 8 }
    },
  }
  const chain = walkChain(shape, access.read8(pointer), pointer)
  return decodeChain(chain, { access, end: 0x100, decoders: capabilityDecoders, names: capabilityNames })
}
