import type { Device, RegisterWindow } from '@openbar/vfio'

const TCTL = 0x0400
const TDBAL = 0x3800
const TDBAH = 0x3804
const TDLEN = 0x3808
const TDH = 0x3810
const TDT = 0x3818
const TCTL_EN = 1 << 1
const EOP_RS = 0x09 << 24
const FRAME_BYTES = 60
const RING_BYTES = 128
const DD = 1

/** A page that the NIC shall reach: where it sees it, and where this program does. */
export interface RingPage {
  readonly iova: bigint
  readonly words: Uint32Array
}

/**
 * Has an Intel NIC send one frame with a ring of descriptors in the given page, and tells whether it has reached it: it reads the
 * descriptor and the frame there, and writes the "done" bit (SDM 3.3.3). QEMU does all that inside the write of the tail.
 */
export function reaches(device: Device, bar0: RegisterWindow, { iova, words }: RingPage): boolean {
  device.config.command.busMasterEnable = true
  const frame = iova + 2048n
  words.set([Number(frame & 0xffff_ffffn), Number(frame >> 32n), EOP_RS | FRAME_BYTES, 0])
  words.fill(0xffff_ffff, 512, 512 + FRAME_BYTES / 4)
  bar0.write32(TCTL, 0)
  bar0.write32(TDBAL, Number(iova & 0xffff_ffffn))
  bar0.write32(TDBAH, Number(iova >> 32n))
  bar0.write32(TDLEN, RING_BYTES)
  bar0.write32(TDH, 0)
  bar0.write32(TDT, 0)
  bar0.write32(TCTL, TCTL_EN)
  bar0.write32(TDT, 1)
  bar0.write32(TCTL, 0)
  return ((words[3] ?? 0) & DD) !== 0
}
