/** What a resource of a function is reached by. */
export type ResourceKind = 'memory32' | 'memory64' | 'io'

/** An address range that a function asks for: a BAR or the expansion ROM. */
export interface PciResource {
  readonly kind: ResourceKind
  /** First physical address or port; meaningless unless `assigned`. */
  readonly start: bigint
  /** Bytes. A power of two for BARs, and so exact as a number. */
  readonly size: number
  /** Reads have no side effects and writes may be merged (PCI Local Bus 3.0 §6.2.5.1). */
  readonly prefetchable: boolean
  /** Whether the kernel found an address range for it. */
  readonly assigned: boolean
  /** The kernel's `IORESOURCE_*` flags (include/linux/ioport.h), as sysfs shows them. */
  readonly flags: bigint
}

/** A base address register's resource. */
export interface PciBar extends PciResource {
  /** Which BAR, 0 to 5. A 64-bit BAR takes two registers and has the number of its first. */
  readonly index: number
}

// include/linux/ioport.h
const IORESOURCE_IO = 0x100n
const IORESOURCE_MEM = 0x200n
const IORESOURCE_PREFETCH = 0x2000n
const IORESOURCE_MEM_64 = 0x10_0000n
const IORESOURCE_UNSET = 0x2000_0000n

/** One line of the sysfs file `resource`: start, end (inclusive) and flags; `undefined` for an empty slot. */
export function parseResource(line: string): PciResource | undefined {
  const parts = /^(0x[0-9a-f]+) (0x[0-9a-f]+) (0x[0-9a-f]+)$/i.exec(line)
  if (parts === null) return undefined
  const [start, end, flags] = [BigInt(parts[1] ?? 0), BigInt(parts[2] ?? 0), BigInt(parts[3] ?? 0)]
  const isMemory = (flags & IORESOURCE_MEM) !== 0n
  if (!isMemory && (flags & IORESOURCE_IO) === 0n) return undefined
  const empty = start === 0n && end === 0n
  return {
    kind: isMemory ? ((flags & IORESOURCE_MEM_64) !== 0n ? 'memory64' : 'memory32') : 'io',
    start,
    size: empty || end < start ? 0 : Number(end - start + 1n),
    prefetchable: (flags & IORESOURCE_PREFETCH) !== 0n,
    assigned: !empty && (flags & IORESOURCE_UNSET) === 0n,
    flags,
  }
}
