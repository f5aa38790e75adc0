/** One record of the kernel's log. */
export interface KmsgRecord {
  /** Who wrote it: 0 is the kernel. A program that writes to `/dev/kmsg` cannot pass for it. */
  readonly facility: number
  /** The number of the record; each has the next one. */
  readonly sequence: number
  /** Microseconds since boot. */
  readonly at: number
  /** The message, without the key-value pairs that may follow it. */
  readonly message: string
}

/**
 * Reads a record as one `read(2)` of `/dev/kmsg` returns it.
 *
 * @returns `undefined` for what is no record.
 * @see Linux ABI: dev-kmsg
 *
 * @example
 * ```ts
 * parseKmsgRecord('3,366,16776124,-;DMAR: DRHD: handling fault status reg 2\n')?.at // 16776124
 * ```
 */
export function parseKmsgRecord(text: string): KmsgRecord | undefined {
  // More fields may come before the semicolon in later kernels; the ABI says to pass over them.
  const header = /^(\d{1,10}),(\d{1,15}),(\d{1,15}),[^;\n]*;/.exec(text)
  if (header === null) return undefined
  const [prefix, priority, sequence, at] = header
  const end = text.indexOf('\n', prefix.length)
  return {
    facility: Math.floor(Number(priority) / 8),
    sequence: Number(sequence),
    at: Number(at),
    message: text.slice(prefix.length, end === -1 ? undefined : end),
  }
}
