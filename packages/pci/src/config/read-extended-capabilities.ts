import type { RegisterAccess } from '../access/register-access.ts'
import { type ExtendedCapability, extendedCapabilityDecoders } from './capability-decoders.ts'
import { CapabilityList } from './capability-list.ts'
import { extendedCapabilityNames } from './capability-names.ts'
import { decodeChain } from './decode-chain.ts'
import { walkChain } from './walk-chain.ts'

const START = 0x100
const END = 0x1000
const ALL_ONES = 0xffff_ffff

/** Walks and decodes the capabilities of the extended config space; none where there is no such space. */
export function readExtendedCapabilities(access: RegisterAccess): CapabilityList<ExtendedCapability> {
  if (access.size <= START || isEmpty(access)) return new CapabilityList<ExtendedCapability>([], undefined)
  const shape = {
    lowest: START,
    readLink: (offset: number) => {
      const value = access.read32(offset)
      return value === ALL_ONES ? undefined : { id: value & 0xffff, next: value >>> 20 }
    },
  }
  const chain = walkChain(shape, START, START)
  return decodeChain(chain, { access, end: END, decoders: extendedCapabilityDecoders, names: extendedCapabilityNames })
}

/**
 * No extended capabilities look like a null one, or in a root complex register block like all ones: §7.6.1 and §7.6.2.
 */
function isEmpty(access: RegisterAccess): boolean {
  try {
    const first = access.read32(START)
    return first === 0 || first === ALL_ONES
  } catch {
    // What cannot be read is for the walk to report.
    return false
  }
}
