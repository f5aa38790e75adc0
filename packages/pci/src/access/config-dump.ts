import { invalidArgument } from '@openbar/linux/errors'
import { PciAddress } from '../address/pci-address.ts'
import { BufferAccess } from './buffer-access.ts'

/** One function of an `lspci -x`, `-xxx` or `-xxxx` dump. */
export interface ConfigDump {
  /** The function's address; `undefined` when the text has the hex lines alone. */
  readonly address: PciAddress | undefined
  /** What lspci says after the address, such as the class and the device's name. */
  readonly title: string | undefined
  /** The config space: 64, 128, 256 or 4096 bytes. */
  readonly access: BufferAccess
}

const HEADING = /^((?:[0-9a-f]{4,8}:)?[0-9a-f]{2}:[01][0-9a-f]\.[0-7])\s*(.*)$/i
const HEX_LINE = /^([0-9a-f]{2,3}):((?: [0-9a-f]{2}){1,16})\s*$/i
const LARGEST = 4096

/**
 * Reads the hex dumps that lspci prints, so that a config space can be looked at on any machine and platform.
 * Other lines, such as those that `-v` adds, are passed over.
 *
 * @param text - What `lspci -x`, `-xxx` or `-xxxx` (with or without `-D`, `-n`, `-v`) printed.
 * @throws `ERR_INVALID_ARGUMENT` with the line's number when a hex line does not follow the one before.
 *
 * @example
 * ```ts
 * for (const { address, access } of parseConfigDump(readFileSync('lspci.txt', 'utf8'))) {
 *   console.log(`${address}`, new ConfigSpace(access).capabilities().find('msix')?.tableSize)
 * }
 * ```
 */
export function parseConfigDump(text: string): ConfigDump[] {
  const dumps: ConfigDump[] = []
  let heading: RegExpExecArray | null = null
  let bytes: number[] = []
  const flush = (): void => {
    if (bytes.length > 0) {
      dumps.push({
        address: heading?.[1] === undefined ? undefined : PciAddress.from(heading[1]),
        title: heading?.[2],
        access: new BufferAccess(Uint8Array.from(bytes)),
      })
    }
    bytes = []
    heading = null
  }
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    const row = HEX_LINE.exec(line)
    if (row !== null) {
      const offset = Number.parseInt(row[1] ?? '', 16)
      // Dumps without headings and blank lines between them can still be told apart: each begins at 00.
      if (offset === 0 && bytes.length > 0) flush()
      if (offset !== bytes.length || offset >= LARGEST) {
        throw invalidArgument(
          'text',
          line,
          `an lspci dump whose line ${index + 1} has offset ${bytes.length.toString(16)}`,
        )
      }
      for (const byte of (row[2] ?? '').trim().split(' ')) bytes.push(Number.parseInt(byte, 16))
      continue
    }
    const next = HEADING.exec(line)
    if (next !== null || line.trim() === '') flush()
    if (next !== null) heading = next
  }
  flush()
  return dumps
}
