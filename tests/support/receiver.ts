import type { Device, RegisterWindow } from '@openbar/vfio'

// Registers of the 82540EM and 82574L (Intel 8254x SDM, 13.4; 82574 datasheet, 10.2).
const CTRL = 0x0000
const IMC = 0x00d8
const RCTL = 0x0100
const RDBAL = 0x2800
const RDBAH = 0x2804
const RDLEN = 0x2808
const RDH = 0x2810
const RDT = 0x2818
const SET_LINK_UP = 1 << 6
/** On; any destination, multicast and broadcast; without the CRC. */
const RCTL_ON = (1 << 1) | (1 << 3) | (1 << 4) | (1 << 15) | (1 << 26)

export const DESCRIPTORS = 64
const BUFFER_BYTES = 2048
/** Bytes of memory that a receiver needs: a page with the ring, then a buffer for each descriptor. */
export const RECEIVER_BYTES = 4096 + DESCRIPTORS * BUFFER_BYTES

/**
 * Has an Intel NIC receive whatever comes into a block of memory, over and over, driven by its bare registers.
 *
 * @returns Gives the descriptors that were used back to the NIC, and tells how many these were.
 */
export function startReceiver(device: Device, bar0: RegisterWindow, iova: bigint, words: Uint32Array): () => number {
  const base = Number(iova)
  for (let index = 0; index < DESCRIPTORS; index += 1) {
    words.set([base + 4096 + index * BUFFER_BYTES, 0, 0, 0], index * 4)
  }
  bar0.write32(IMC, 0xffff_ffff)
  bar0.write32(RCTL, 0)
  bar0.write32(CTRL, bar0.read32(CTRL) | SET_LINK_UP)
  bar0.write32(RDBAL, base)
  bar0.write32(RDBAH, 0)
  bar0.write32(RDLEN, DESCRIPTORS * 16)
  bar0.write32(RDH, 0)
  bar0.write32(RDT, DESCRIPTORS - 1)
  bar0.write32(RCTL, RCTL_ON)
  device.config.command.busMasterEnable = true
  let head = 0
  return () => {
    const now = bar0.read32(RDH)
    const used = (now - head + DESCRIPTORS) % DESCRIPTORS
    head = now
    bar0.write32(RDT, (now + DESCRIPTORS - 1) % DESCRIPTORS)
    return used
  }
}
