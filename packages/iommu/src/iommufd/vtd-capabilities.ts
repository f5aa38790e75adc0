/** What an Intel IOMMU says of itself. Sizes are in bytes, widths in bits. */
export interface VtdCapabilities {
  /** The capability register, as it is. */
  readonly capability: bigint
  /** The extended capability register, as it is. */
  readonly extendedCapability: bigint
  /** Erratum 772415: no read-only mappings in a table that others nest in. The kernel may say it of every IOMMU. */
  readonly erratum772415: boolean
  /** How many domains it can tell apart. */
  readonly domains: number
  /** Widest IOVA that it translates. */
  readonly addressWidth: number
  /** IOVA widths that second-stage tables can have: 39, 48 or 57. */
  readonly tableWidths: readonly number[]
  /** Sizes of large pages in second-stage tables. */
  readonly largePages: readonly number[]
  /** It caches entries that are not present, as emulated ones do, so that mapping needs an invalidation too. */
  readonly cachingMode: boolean
  /** It posts interrupts to virtual processors. */
  readonly postedInterrupts: boolean
  /** Its walks of page tables are coherent with the processors' caches. */
  readonly coherent: boolean
  /** It enforces snooping for a domain's DMA. */
  readonly snoopControl: boolean
  /** Devices may keep translations of their own (ATS). */
  readonly deviceTlb: boolean
  /** It remaps interrupts. */
  readonly interruptRemapping: boolean
  /** It lets DMA pass without translation. */
  readonly passThrough: boolean
  /** Scalable mode: tables of both stages, PASIDs. */
  readonly scalableMode: boolean
  /** First-stage tables, in scalable mode. */
  readonly firstStage: boolean
  /** Second-stage tables, in scalable mode. */
  readonly secondStage: boolean
  /** A first-stage table can nest in a second-stage one. */
  readonly nesting: boolean
  /** Second-stage tables have accessed and dirty bits, which dirty tracking needs. */
  readonly dirtyBits: boolean
  /** Devices may ask for pages (PRI), which fault queues need. */
  readonly pageRequests: boolean
  /** Bits of a PASID; 0 without PASIDs. */
  readonly pasidBits: number
}

const TABLE_WIDTHS = [30, 39, 48, 57, 64]
const LARGE_PAGES = [2 ** 21, 2 ** 30, 2 ** 39, 2 ** 48]

/**
 * Decodes the capability registers of an Intel IOMMU.
 *
 * @see Intel Virtualization Technology for Directed I/O, 11.4.2 Capability Register and 11.4.3 Extended Capability
 *   Register
 */
export function decodeVtdCapabilities(flags: number, capability: bigint, extendedCapability: bigint): VtdCapabilities {
  const cap = fieldsOf(capability)
  const ecap = fieldsOf(extendedCapability)
  return {
    capability,
    extendedCapability,
    erratum772415: (flags & 1) !== 0,
    domains: 2 ** (4 + 2 * cap(0, 3)),
    addressWidth: cap(16, 6) + 1,
    tableWidths: select(TABLE_WIDTHS, cap(8, 5)),
    largePages: select(LARGE_PAGES, cap(34, 4)),
    cachingMode: cap(7) === 1,
    postedInterrupts: cap(59) === 1,
    coherent: ecap(0) === 1,
    snoopControl: ecap(7) === 1,
    deviceTlb: ecap(2) === 1,
    interruptRemapping: ecap(3) === 1,
    passThrough: ecap(6) === 1,
    scalableMode: ecap(43) === 1,
    firstStage: ecap(47) === 1,
    secondStage: ecap(46) === 1,
    nesting: ecap(26) === 1,
    dirtyBits: ecap(45) === 1,
    pageRequests: ecap(29) === 1,
    pasidBits: ecap(40) === 1 ? ecap(35, 5) + 1 : 0,
  }
}

function fieldsOf(register: bigint): (lowestBit: number, width?: number) => number {
  return (lowestBit, width = 1) => Number((register >> BigInt(lowestBit)) & ((1n << BigInt(width)) - 1n))
}

/** The values whose bits are set. */
function select(values: readonly number[], bits: number): number[] {
  return values.filter((_, bit) => (bits & (1 << bit)) !== 0)
}
