import { parseConfigDump } from '../access/config-dump.ts'

/**
 * Config spaces in lspci's form, as QEMU 7.2's q35 machine shows them before firmware ran. Rows of zeros are left out
 * here and filled in below.
 */

/** QEMU's `e1000e`: PCI Express, PM, MSI and MSI-X, with extended capabilities. */
export const e1000eDump = fill(
  4096,
  `00:02.0 Ethernet controller: Intel Corporation 82574L Gigabit Network Connection
00: 86 80 d3 10 00 00 10 00 00 00 00 02 00 00 00 00
10: 00 00 00 00 00 00 00 00 01 00 00 00 00 00 00 00
20: 00 00 00 00 00 00 00 00 00 00 00 00 86 80 00 00
30: 00 00 00 00 c8 00 00 00 00 00 00 00 00 01 00 00
a0: 11 00 04 00 03 00 00 00 03 20 00 00 00 00 00 00
c0: 00 00 00 00 00 00 00 00 01 d0 22 00 00 00 00 00
d0: 05 e0 80 00 00 00 00 00 00 00 00 00 00 00 00 00
e0: 10 a0 91 00 00 80 00 00 00 00 00 00 11 04 00 00
f0: 00 00 11 00 00 00 00 00 00 00 00 00 00 00 00 00
100: 01 00 02 14 00 00 00 00 00 00 00 00 30 20 46 00
110: 00 00 00 00 00 e0 00 00 a0 00 00 00 00 00 00 00
140: 03 00 01 00 56 34 12 ff ff 00 54 52 00 00 00 00`,
)

/** QEMU's `e1000`: a plain PCI function without capabilities. */
export const e1000Dump = fill(
  256,
  `00:03.0 Ethernet controller: Intel Corporation 82540EM Gigabit Ethernet Controller (rev 03)
00: 86 80 0e 10 00 00 00 00 03 00 00 02 00 00 00 00
10: 00 00 00 00 01 00 00 00 00 00 00 00 00 00 00 00
20: 00 00 00 00 00 00 00 00 00 00 00 00 f4 1a 00 11
30: 00 00 00 00 00 00 00 00 00 00 00 00 00 01 00 00`,
)

/** QEMU's `pcie-root-port`: a bridge (header type 1). */
export const rootPortDump = fill(
  4096,
  `00:04.0 PCI bridge: Red Hat, Inc. QEMU PCIe Root port
00: 36 1b 0c 00 00 00 10 00 00 00 04 06 00 00 01 00
10: 00 00 00 00 00 00 00 00 00 00 00 00 f0 00 00 00
20: f0 ff 00 00 f1 ff 01 00 00 00 00 00 00 00 00 00
30: 00 00 00 00 54 00 00 00 00 00 00 00 00 01 00 00
40: 0d 00 00 00 36 1b 00 00 11 40 00 00 00 00 00 00
50: 00 08 00 00 10 48 42 01 00 80 00 00 00 00 00 00
60: 04 06 30 00 00 00 04 02 7b 00 0a 00 c0 07 00 00
70: 00 00 00 00 00 00 00 00 20 00 30 00 00 00 00 00
80: 1e 00 00 00 04 00 00 00 00 00 00 00 00 00 00 00
100: 01 00 82 14 00 00 00 00 00 00 00 00 30 20 46 00
110: 00 00 00 00 00 e0 00 00 a0 02 00 00 00 00 00 00
140: 00 00 00 00 00 00 00 00 0d 00 01 00 5f 00 00 00`,
)

/** An `lspci -xxxx` block of `size` bytes, from one that lacks its rows of zeros. */
function fill(size: number, sparse: string): string {
  const [heading = '', ...rows] = sparse.split('\n')
  const given = new Map(rows.map((row) => [Number.parseInt(row, 16), row]))
  const all = Array.from({ length: size / 16 }, (_, index) => {
    return given.get(index * 16) ?? `${(index * 16).toString(16).padStart(2, '0')}:${' 00'.repeat(16)}`
  })
  return [heading, ...all, ''].join('\n')
}

/** The bytes of one of the dumps above. */
export function configBytes(dump: string): Uint8Array {
  const access = parseConfigDump(dump)[0]?.access
  if (access === undefined) throw new Error('the text holds no dump')
  return access.bytes
}
