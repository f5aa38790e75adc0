import { type DmaBuffer, Domain } from '@openbar/iommu'
import { Device, type RegisterWindow, waitUntil } from '@openbar/vfio'
import { describe, expect, it } from 'vitest'
import { translating } from '../support/backend-differences.ts'
import { backends } from '../support/backends.ts'
import { errorOf } from '../support/error-of.ts'
import { nicAddresses } from '../support/nics.ts'

// QEMU's specification of its edu device: qemu.org/docs/master/specs/edu.html
const IDENTIFICATION = 0x00
const FACTORIAL = 0x08
const STATUS = 0x20
const COMPUTING = 1
const DMA_SOURCE = 0x80
const DMA_DESTINATION = 0x88
const DMA_COUNT = 0x90
const DMA_COMMAND = 0x98
const START = 1
const TO_MEMORY = 2
/** Where the device has a buffer of its own, in its own addresses. */
const INTERNAL = 0x40000
const INTERNAL_SIZE = 4096
const ADDRESS_BITS = 28
const REACH = 2 ** ADDRESS_BITS
const PAGE = 4096

const [address = ''] = nicAddresses('edu')

/** Copies between memory and the device's own buffer. */
async function copy(bar0: RegisterWindow, command: number, source: number, destination: number, count: number) {
  bar0.write32(DMA_SOURCE, source)
  bar0.write32(DMA_DESTINATION, destination)
  bar0.write32(DMA_COUNT, count)
  bar0.write32(DMA_COMMAND, START | command)
  const done = () => (bar0.read32(DMA_COMMAND) & START) === 0
  await waitUntil(done, { timeout: 5000, waitedFor: 'the DMA of the edu device' })
}

/** Brings the bytes of one buffer through the device into another one. */
async function bring(bar0: RegisterWindow, from: bigint, to: bigint, count: number) {
  await copy(bar0, 0, Number(from), INTERNAL, count)
  await copy(bar0, TO_MEMORY, INTERNAL, Number(to), count)
}

describe.each(translating(backends))('a device with 28 address lines, on %s', (backend) => {
  const open = async (domain: Domain, addressBits: number) => {
    const device = await Device.open(address, { domain, bind: true, addressBits })
    device.config.command.busMasterEnable = true
    return device
  }

  it('is there, and computes', async () => {
    await using domain = await Domain.open({ backend })
    await using device = await open(domain, ADDRESS_BITS)
    const bar0 = device.bar(0).map()
    expect(bar0.read32(IDENTIFICATION) & 0xffff).toBe(0x00ed)
    bar0.write32(FACTORIAL, 7)
    const computed = () => (bar0.read32(STATUS) & COMPUTING) === 0
    await waitUntil(computed, { timeout: 5000, waitedFor: 'the factorial' })
    expect(bar0.read32(FACTORIAL)).toBe(5040)
  })

  it('copies both ways through buffers that the domain picks', async () => {
    await using domain = await Domain.open({ backend })
    await using device = await open(domain, ADDRESS_BITS)
    const bar0 = device.bar(0).map()
    // Far up, as near to the limit as it goes.
    const high = { align: REACH / 2 }
    const buffers: DmaBuffer[] = [domain.allocate(PAGE), domain.allocate(PAGE), domain.allocate(PAGE, high)]
    for (const { iova, size } of buffers) expect(Number(iova) + size).toBeLessThanOrEqual(REACH)
    const [source, destination, far] = buffers as [DmaBuffer, DmaBuffer, DmaBuffer]
    for (let index = 0; index < INTERNAL_SIZE / 4; index += 1) source.u32[index] = index * 0x9e37_79b1
    await bring(bar0, source.iova, destination.iova, INTERNAL_SIZE - 1)
    expect(destination.bytes.subarray(0, -1)).toEqual(source.bytes.subarray(0, -1))
    expect(destination.bytes.at(-1)).toBe(0)
    await bring(bar0, destination.iova + 16n, far.iova + 32n, 64)
    expect(far.bytes.subarray(32, 96)).toEqual(source.bytes.subarray(16, 80))
  })

  it('gets no address above its lines, and says so when all below are taken', async () => {
    await using domain = await Domain.open({ backend })
    await using device = await open(domain, ADDRESS_BITS)
    expect(Number(domain.pickIova(REACH / 2))).toBeLessThanOrEqual(REACH / 2)
    await errorOf('ERR_IOVA_EXHAUSTED', () => domain.pickIova(REACH))
    await errorOf('ERR_IOVA_EXHAUSTED', () => domain.allocate(PAGE, { align: REACH }))
    await device.close()
    // Nobody is left who could not reach it.
    expect(domain.pickIova(REACH)).toBe(0x100_0000n)
    expect(domain.pickIova(PAGE, { align: REACH })).toBe(BigInt(REACH))
  })

  it('would write elsewhere with an address above its lines', async () => {
    await using domain = await Domain.open({ backend })
    await using device = await open(domain, 64)
    const bar0 = device.bar(0).map()
    using source = domain.allocate(PAGE, { iova: 0x100_0000 })
    using wanted = domain.allocate(PAGE, { iova: REACH + 0x200_0000 })
    using hit = domain.allocate(PAGE, { iova: 0x200_0000 })
    source.bytes.fill(0x5a)
    await bring(bar0, source.iova, wanted.iova, 64)
    expect(wanted.bytes.every((byte) => byte === 0)).toBe(true)
    expect(hit.bytes.subarray(0, 64)).toEqual(source.bytes.subarray(0, 64))
  })
})
