import { setTimeout as sleep } from 'node:timers/promises'
import type { DmaBuffer } from '@openbar/iommu'
import { describeLab } from '@openbar/lab/guest'
import { type Device, type RegisterWindow, waitUntil } from '@openbar/vfio'

// Registers of the 82540EM and 82574L (Intel 8254x SDM, 13.4; 82574 datasheet, 10.2).
const CTRL = 0x0000
const MDIC = 0x0020
const IMC = 0x00d8
const RCTL = 0x0100
const TCTL = 0x0400
const RDBAL = 0x2800
const TDBAL = 0x3800
const RAL = 0x5400
const RAH = 0x5404

// The rest of a ring's registers, from its RDBAL or TDBAL on.
const HIGH = 0x04
const LENGTH = 0x08
const HEAD = 0x10
const TAIL = 0x18

const SET_LINK_UP = 1 << 6
const RCTL_ON = (1 << 1) | (1 << 26)
const TCTL_ON = (1 << 1) | (1 << 3)
const ADDRESS_VALID = 0x8000_0000
const MDIC_WRITE_BMCR = (1 << 26) | (1 << 21)
const MDIC_READY = 1 << 28
const BMCR_LOOPBACK = 0x4140
const BMCR_NORMAL = 0x1140

const DESCRIPTORS = 8
const WORDS = 4
const TRANSMIT_RING = 2048
/** End of packet, insert the CRC, report status. */
const SEND = (0x01 | 0x02 | 0x08) << 24
const DONE = 1

/** The address that the NIC is given. Nobody outside sends to it, so it receives only what it sends itself. */
const MAC = [0x02, 0x6f, 0x62, 0x00, 0x00, 0x01] as const
/** An EtherType for local experiments (IEEE 802). */
const ETHER_TYPE = [0x88, 0xb5] as const

/** A frame from the NIC to itself, whose payload repeats a byte. */
export function loopFrame(length: number, payload: number): Uint8Array {
  const frame = new Uint8Array(length).fill(payload)
  frame.set([...MAC, ...MAC, ...ETHER_TYPE])
  return frame
}

/**
 * A NIC whose PHY gives back what it sends, driven by its bare registers, so that a descriptor can carry any IOVA.
 *
 * Sending makes it read memory, and receiving what it has sent makes it write memory, each at an address of choice.
 */
export class RawNic implements AsyncDisposable {
  readonly #device: Device
  readonly #bar0: RegisterWindow
  readonly #ring: DmaBuffer
  #next = 0

  private constructor(device: Device, bar0: RegisterWindow, ring: DmaBuffer) {
    this.#device = device
    this.#bar0 = bar0
    this.#ring = ring
  }

  /** Starts a device; its rings are mapped in its domain. */
  static async start(device: Device): Promise<RawNic> {
    const nic = new RawNic(device, device.bar(0).map(), device.domain.allocate(4096))
    nic.#program()
    await nic.#setPhy(BMCR_LOOPBACK)
    device.config.command.busMasterEnable = true
    const model = describeLab().devices.find(({ address }) => address === device.address)?.model
    // QEMU's 82540EM receives nothing for a second after its receiver was switched on.
    if (model === 'e1000') await sleep(1100)
    return nic
  }

  /** Where its rings stand: a domain that it moves to has to map them at the same address. */
  get ring(): DmaBuffer {
    return this.#ring
  }

  /**
   * Sends a frame from one IOVA and receives it at another.
   *
   * @returns The bytes received, 0 when the NIC received nothing.
   */
  async transfer({ from, length, into }: { from: bigint; length: number; into: bigint }): Promise<number> {
    const { u32 } = this.#ring
    const index = this.#next
    this.#next = (index + 1) % DESCRIPTORS
    const receive = index * WORDS
    const transmit = TRANSMIT_RING / 4 + index * WORDS
    u32.set([...split(into), 0, 0], receive)
    u32.set([...split(from), SEND | length, 0], transmit)
    this.#bar0.write32(RDBAL + TAIL, this.#next)
    this.#bar0.write32(TDBAL + TAIL, this.#next)
    const sent = () => (u32[transmit + 3]! & DONE) !== 0
    await waitUntil(sent, { timeout: 5000, waitedFor: `${this.#device.address} to send` })
    // What is sent comes back before the transmit descriptor is done, or not at all.
    if ((u32[receive + 3]! & DONE) === 0) {
      this.#takeReceiveDescriptorBack(index)
      return 0
    }
    return u32[receive + 2]! & 0xffff
  }

  /** Stops both rings before their memory goes. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#bar0.write32(RCTL, 0)
    this.#bar0.write32(TCTL, 0)
    await this.#setPhy(BMCR_NORMAL)
    this.#device.config.command.busMasterEnable = false
    this.#ring.close()
    this.#bar0.close()
  }

  #program(): void {
    const bar0 = this.#bar0
    bar0.write32(IMC, 0xffff_ffff)
    bar0.write32(RCTL, 0)
    bar0.write32(TCTL, 0)
    bar0.write32(CTRL, bar0.read32(CTRL) | SET_LINK_UP)
    bar0.write32(RAL, (MAC[0] | (MAC[1] << 8) | (MAC[2] << 16) | (MAC[3] << 24)) >>> 0)
    bar0.write32(RAH, (ADDRESS_VALID | MAC[4] | (MAC[5] << 8)) >>> 0)
    this.#programRing(RDBAL, this.#ring.iova)
    this.#programRing(TDBAL, this.#ring.iova + BigInt(TRANSMIT_RING))
    bar0.write32(TCTL, TCTL_ON)
    bar0.write32(RCTL, RCTL_ON)
  }

  #programRing(base: number, iova: bigint): void {
    const [low, high] = split(iova)
    this.#bar0.write32(base, low)
    this.#bar0.write32(base + HIGH, high)
    this.#bar0.write32(base + LENGTH, DESCRIPTORS * WORDS * 4)
    this.#bar0.write32(base + HEAD, 0)
    this.#bar0.write32(base + TAIL, 0)
  }

  /** The descriptor that was not used would take the next frame. */
  #takeReceiveDescriptorBack(index: number): void {
    this.#bar0.write32(RDBAL + HEAD, this.#next)
    this.#ring.u32.fill(0, index * WORDS, (index + 1) * WORDS)
  }

  /** BMCR, IEEE 802.3, 22.2.4.1. */
  async #setPhy(value: number): Promise<void> {
    const bar0 = this.#bar0
    bar0.write32(MDIC, MDIC_WRITE_BMCR | value)
    await waitUntil(() => (bar0.read32(MDIC) & MDIC_READY) !== 0, { timeout: 1000, waitedFor: 'the PHY' })
  }
}

function split(iova: bigint): [low: number, high: number] {
  return [Number(iova & 0xffff_ffffn), Number(iova >> 32n)]
}
