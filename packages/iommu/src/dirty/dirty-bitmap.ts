/** Pages that were written. */
export interface DirtyRange {
  /** The first address. */
  readonly iova: bigint
  /** Bytes; a multiple of the page size that was asked for. */
  readonly size: number
}

/** Which pages of a range were written, one bit for each. */
export interface DirtyBitmap {
  /** The address of the first bit's page. */
  readonly iova: bigint
  /** Bytes of the range. */
  readonly size: number
  /** Bytes that a bit stands for. */
  readonly pageSize: number
  /** Page n is bit n modulo 32 of word n / 32; bits beyond the range mean nothing. There is an even number of words. */
  readonly bits: Uint32Array<ArrayBuffer>
}

/** A bitmap with no bit set, as the kernel wants it. */
export function emptyBitmap(iova: bigint, size: number, pageSize: number): DirtyBitmap {
  const pages = size / pageSize
  // The kernel reads and writes words of 64 bits.
  return { iova, size, pageSize, bits: new Uint32Array(Math.ceil(pages / 64) * 2) }
}

/**
 * The written ranges of a bitmap, ascending; pages that touch are one range.
 *
 * @example
 * ```ts
 * for (const { iova, size } of dirtyRanges(table.dirtyBitmap(0x1000_0000, 64 * 1024 * 1024))) save(iova, size)
 * ```
 */
export function dirtyRanges({ iova, size, pageSize, bits }: DirtyBitmap): DirtyRange[] {
  const pages = size / pageSize
  const ranges: DirtyRange[] = []
  let start = -1
  const end = (page: number) => {
    ranges.push({ iova: iova + BigInt(start) * BigInt(pageSize), size: (page - start) * pageSize })
    start = -1
  }
  for (let first = 0; first < pages; first += 32) {
    const word = bits[first / 32] ?? 0
    // Most words are all clear or all set, and then nothing begins or ends in them.
    if (word === (start === -1 ? 0 : 0xffff_ffff)) continue
    const last = Math.min(first + 32, pages)
    for (let page = first; page < last; page += 1) {
      const dirty = ((word >>> (page - first)) & 1) === 1
      if (dirty && start === -1) start = page
      else if (!dirty && start !== -1) end(page)
    }
  }
  if (start !== -1) end(pages)
  return ranges
}

/** Sets the bits of a range that lies in the bitmap's. */
export function markRange(bitmap: DirtyBitmap, range: DirtyRange): void {
  const { bits, pageSize } = bitmap
  const first = Number((range.iova - bitmap.iova) / BigInt(pageSize))
  const end = first + range.size / pageSize
  for (let page = first; page < end; page += 1) {
    const word = Math.floor(page / 32)
    bits[word] = (bits[word] ?? 0) | (1 << (page % 32))
  }
}
