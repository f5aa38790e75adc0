/** One entry of an archive. Directories must come before what lies in them. */
export interface CpioEntry {
  /** Without a leading slash. */
  readonly path: string
  /** Type and permissions, as in `stat`: 0o100755, 0o040755, 0o120777, 0o020600. */
  readonly mode: number
  /** A file's content, or where a symbolic link points. */
  readonly data?: Uint8Array
  /** Major and minor number of a device node. */
  readonly device?: readonly [number, number]
}

/**
 * An archive in the `newc` format, which is what a kernel unpacks as its initramfs. Written here rather than by cpio(1),
 * since that cannot make a device node without root, and its output depends on times and inode numbers.
 */
export function cpioArchive(entries: readonly CpioEntry[]): Buffer {
  const parts: Buffer[] = []
  let length = 0
  const put = (bytes: Uint8Array) => {
    const padded = Buffer.alloc((bytes.length + 3) & ~3)
    padded.set(bytes)
    parts.push(padded)
    length += padded.length
  }
  const entry = ({ path, mode, data = new Uint8Array(), device = [0, 0] }: CpioEntry, inode: number) => {
    const name = Buffer.from(`${path}\0`)
    const links = (mode & 0o170000) === 0o040000 ? 2 : 1
    const fields = [inode, mode, 0, 0, links, 0, data.length, 0, 0, device[0], device[1], name.length, 0]
    const header = `070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}`
    // Header and name are padded together, to a multiple of four.
    put(Buffer.concat([Buffer.from(header), name]))
    put(data)
  }
  entries.forEach((each, index) => {
    entry(each, index + 1)
  })
  entry({ path: 'TRAILER!!!', mode: 0 }, 0)
  return Buffer.concat(parts, length)
}
