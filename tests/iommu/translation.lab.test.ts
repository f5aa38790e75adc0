import { Domain, FaultReader, type Mapping } from '@openbar/iommu'
import { describeLab } from '@openbar/lab/guest'
import { Device } from '@openbar/vfio'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { backends } from '../support/backends.ts'
import { FOUR_BYTES, SIXTEEN_BYTES, spendFaultRoom } from '../support/fault-room.ts'
import { NICS, nicAddress } from '../support/nics.ts'
import { CANARY, isCanary, mapAgain, PAGE, Pages } from '../support/pages.ts'
import { loopFrame, RawNic } from '../support/raw-nic.ts'
import { expectedFault, expectReport, firstFault } from '../support/seen-faults.ts'

const PAGE_N = BigInt(PAGE)
/** The shortest frame that is received as it was sent. */
const FRAME = 60
/** A frame that is received so many bytes before a page's end has its last four bytes in the next page. */
const BEFORE_END = BigInt(FRAME - 4)
/** The first addresses of a test's own. */
const BASE = 0x4000_0000n

/** Whether a mapping that devices may only write keeps them from reading: on Intel's IOMMU, as QEMU has it, it does not. */
const writeOnlyIsEnforced = describeLab().iommu !== 'intel'

describe.each(backends)('DMA on %s', (backend) => {
  let faults: FaultReader
  beforeAll(() => {
    faults = FaultReader.open()
  })
  afterAll(() => faults.close())

  describe.each(NICS)('of the $chip', ({ model }) => {
    const stack = new AsyncDisposableStack()
    let domain: Domain
    let device: Device
    let nic: RawNic
    /** Where a frame to send stands, and where one that must not be lost is received. */
    let sent: { iova: bigint; bytes: Uint8Array }
    let received: { iova: bigint; bytes: Uint8Array }

    beforeAll(async () => {
      domain = stack.use(await Domain.open({ backend }))
      device = stack.use(await Device.open(nicAddress(model), { domain, bind: true }))
      nic = stack.use(await RawNic.start(device))
      sent = domain.allocate(PAGE)
      received = domain.allocate(PAGE)
    })
    afterAll(() => stack.disposeAsync())

    /** Sends a short frame that is received at an IOVA. */
    const receiveAt = async (iova: bigint, payload: number): Promise<Uint8Array> => {
      const frame = loopFrame(FRAME, payload)
      sent.bytes.set(frame)
      expect(await nic.transfer({ from: sent.iova, length: FRAME, into: iova })).toBe(FRAME)
      return frame
    }
    /** Sends a frame that is received at the end of the page before an IOVA, but for its last four bytes. */
    const receiveUpTo = async (iova: bigint, before: Uint8Array) => {
      const frame = await receiveAt(iova - BEFORE_END, 0x22)
      expect(before.subarray(PAGE - Number(BEFORE_END))).toEqual(frame.subarray(0, Number(BEFORE_END)))
    }
    const expectNextFrameToWork = async () => {
      const frame = await receiveAt(received.iova, 0x77)
      expect(received.bytes.subarray(0, FRAME)).toEqual(frame)
    }
    const refused = (iova: bigint, access: 'read' | 'write', mapped = false) =>
      expectedFault({ device: device.address, iova, access, mapped })

    it('reads and writes the memory that is mapped: low, above 4 GiB and at the end of what can be mapped', async () => {
      const end = (domain.snapshot().ranges?.at(-1)?.last ?? 0n) + 1n
      expect(end).toBeGreaterThan(1n << 32n)
      for (const iova of [0x1_0000n, 0x1_2345_6000n, end - 2n * PAGE_N]) {
        using pages = new Pages(2)
        const mappings = [pages.map(domain, 0, iova), pages.map(domain, 1, iova + PAGE_N)]
        const frame = loopFrame(1000, Number(iova >> 12n) & 0xff)
        pages.page(0).set(frame, 16)
        const length = await nic.transfer({ from: iova + 16n, length: frame.length, into: iova + PAGE_N + 1024n })
        expect(length).toBe(frame.length)
        expect(pages.page(1).subarray(1024, 2024)).toEqual(frame)
        expect(isCanary(pages.page(1).subarray(0, 1024))).toBe(true)
        expect(isCanary(pages.page(1).subarray(2024))).toBe(true)
        for (const mapping of mappings) domain.unmap(mapping)
      }
    })

    it('follows the mapping page by page, where memory stands in another order', async () => {
      using pages = new Pages(3)
      const mappings = [2, 0, 1].map((index, place) => pages.map(domain, index, BASE + BigInt(place) * PAGE_N))
      const frame = Uint8Array.from(loopFrame(1500, 0), (byte, index) => (index < 14 ? byte : index * 7))
      sent.bytes.set(frame)
      await nic.transfer({ from: sent.iova, length: 1500, into: BASE + PAGE_N - 700n })
      expect(pages.page(2).subarray(PAGE - 700)).toEqual(frame.subarray(0, 700))
      expect(pages.page(0).subarray(0, 800)).toEqual(frame.subarray(700))
      expect(isCanary(pages.page(1))).toBe(true)
      if (model === 'e1000') {
        // The 82574L of QEMU drops what it sends from two pages that are no neighbours in memory.
        received.bytes.fill(0)
        await nic.transfer({ from: BASE + PAGE_N - 700n, length: 1500, into: received.iova })
        expect(received.bytes.subarray(0, 1500)).toEqual(frame)
      }
      for (const mapping of mappings) domain.unmap(mapping)
    })

    it('is refused where nothing is mapped any more, and touches nothing', async () => {
      using pages = new Pages(3)
      const mappings = [0, 1, 2].map((index) => pages.map(domain, index, BASE + BigInt(index) * PAGE_N))
      const [, middle] = mappings as [Mapping, Mapping, Mapping]
      // Both ways while it is mapped, so that the IOMMU has the translation cached.
      const frame = await receiveAt(middle.iova, 0x11)
      expect(pages.page(1).subarray(0, FRAME)).toEqual(frame)
      expect(await nic.transfer({ from: middle.iova, length: 16, into: received.iova })).toBe(FRAME)

      domain.unmap(middle)
      pages.bytes.fill(CANARY)
      const written = await firstFault(faults, { device: device.address, calls: FOUR_BYTES }, () =>
        receiveUpTo(middle.iova, pages.page(0)),
      )
      expectReport(written, refused(middle.iova, 'write'))
      expect(isCanary(pages.bytes.subarray(0, PAGE - Number(BEFORE_END)))).toBe(true)
      expect(isCanary(pages.page(1))).toBe(true)
      expect(isCanary(pages.page(2))).toBe(true)

      // It was sent from there while it was mapped, so had it been read, it would be received.
      pages.page(1).set(loopFrame(16, 0x33))
      received.bytes.fill(0)
      const read = await firstFault(faults, { device: device.address, calls: SIXTEEN_BYTES }, async () => {
        expect(await nic.transfer({ from: middle.iova, length: 16, into: received.iova })).toBe(0)
      })
      expectReport(read, refused(middle.iova, 'read'))
      expect(received.bytes.every((byte) => byte === 0)).toBe(true)

      // Whole frames are more faults than the kernel reports.
      pages.bytes.fill(CANARY)
      await receiveAt(middle.iova, 0x34)
      await receiveAt(middle.iova + PAGE_N - BigInt(FRAME), 0x35)
      spendFaultRoom()
      expect(isCanary(pages.bytes)).toBe(true)

      await expectNextFrameToWork()
      pages.map(domain, 1, middle.iova)
      expect(pages.page(1).subarray(0, FRAME)).not.toEqual(frame)
      await receiveAt(middle.iova, 0x11)
      expect(pages.page(1).subarray(0, FRAME)).toEqual(frame)
      domain.unmap({ iova: BASE, size: 3 * PAGE })
    })

    it('cannot write what is mapped for reading', async () => {
      using pages = new Pages(2)
      const mappings = [pages.map(domain, 0, BASE), pages.map(domain, 1, BASE + PAGE_N, 'read')]
      const fault = await firstFault(faults, { device: device.address, calls: FOUR_BYTES }, () =>
        receiveUpTo(BASE + PAGE_N, pages.page(0)),
      )
      expect(isCanary(pages.page(1))).toBe(true)
      expectReport(fault, refused(BASE + PAGE_N, 'write', true))

      const frame = loopFrame(FRAME, 0x55)
      pages.page(1).set(frame)
      await nic.transfer({ from: BASE + PAGE_N, length: FRAME, into: received.iova })
      expect(received.bytes.subarray(0, FRAME)).toEqual(frame)
      for (const mapping of mappings) domain.unmap(mapping)
    })

    it(`can${writeOnlyIsEnforced ? 'not' : ', on an Intel IOMMU,'} read what is mapped for writing`, async () => {
      using pages = new Pages(1)
      const mapping = pages.map(domain, 0, BASE, 'write')
      await receiveAt(BASE + 1024n, 0x66)
      expect(pages.bytes[1024 + FRAME - 1]).toBe(0x66)

      const frame = loopFrame(16, 0x67)
      pages.bytes.set(frame)
      received.bytes.fill(0)
      const read = async () => {
        // Received frames are padded to 60 bytes.
        const length = await nic.transfer({ from: BASE, length: 16, into: received.iova })
        expect(length).toBe(writeOnlyIsEnforced ? 0 : FRAME)
      }
      if (writeOnlyIsEnforced) {
        expectReport(
          await firstFault(faults, { device: device.address, calls: SIXTEEN_BYTES }, read),
          refused(BASE, 'read', true),
        )
        expect(received.bytes.every((byte) => byte === 0)).toBe(true)
      } else {
        await read()
        expect(received.bytes.subarray(0, 16)).toEqual(frame)
      }
      domain.unmap(mapping)
    })

    it('no longer reaches the memory of a buffer that was closed', async () => {
      using before = domain.allocate(PAGE, { iova: BASE })
      const buffer = domain.allocate(PAGE, { iova: BASE + PAGE_N, shared: true })
      await receiveAt(buffer.iova, 0x88)
      // The page of the buffer stays in sight through a mapping of its own, and what took its place through a stolen view.
      const page = mapAgain(buffer.memory)
      const old = new Uint8Array(page.buffer)
      expect(old[FRAME - 1]).toBe(0x88)
      old.fill(CANARY)
      const stolen = new Uint8Array(buffer.bytes.buffer.transfer())
      buffer.close()
      const fault = await firstFault(faults, { device: device.address, calls: FOUR_BYTES }, () =>
        receiveUpTo(BASE + PAGE_N, before.bytes),
      )
      expectReport(fault, refused(BASE + PAGE_N, 'write'))
      expect(isCanary(old)).toBe(true)
      expect(stolen.every((byte) => byte === 0)).toBe(true)
      page.revoke()
      await expectNextFrameToWork()
    })
  })

  describe('of two NICs', () => {
    const [e1000, e1000e] = NICS
    const openNic = async (stack: AsyncDisposableStack, { model }: (typeof NICS)[number], domain: Domain) => {
      const device = stack.use(await Device.open(nicAddress(model), { domain, bind: true }))
      return { device, nic: stack.use(await RawNic.start(device)) }
    }

    it('stays in the domain of each', async () => {
      await using stack = new AsyncDisposableStack()
      const sides = []
      for (const kind of [e1000, e1000e]) {
        const domain = stack.use(await Domain.open({ backend }))
        const pages = stack.use(new Pages(3))
        const { device, nic } = await openNic(stack, kind, domain)
        // At the same addresses in both: what is sent, and what is received.
        pages.map(domain, 0, BASE)
        pages.map(domain, 1, BASE + PAGE_N)
        sides.push({ domain, pages, device, nic })
      }
      const [one, other] = sides as [(typeof sides)[number], (typeof sides)[number]]
      for (const [from, to, payload] of [[one, other, 0xa1] as const, [other, one, 0xa2] as const]) {
        const frame = loopFrame(FRAME, payload)
        from.pages.page(0).set(frame)
        const before = Uint8Array.from(to.pages.bytes)
        expect(await from.nic.transfer({ from: BASE, length: FRAME, into: BASE + PAGE_N })).toBe(FRAME)
        expect(from.pages.page(1).subarray(0, FRAME)).toEqual(frame)
        expect(to.pages.bytes).toEqual(before)

        // Mapped in the other's domain only.
        const mapping = to.pages.map(to.domain, 2, BASE + 2n * PAGE_N)
        const fault = await firstFault(faults, { device: from.device.address, calls: FOUR_BYTES }, () =>
          from.nic.transfer({ from: BASE, length: FRAME, into: BASE + 2n * PAGE_N - BEFORE_END }),
        )
        expect(from.pages.page(1).subarray(PAGE - Number(BEFORE_END))).toEqual(frame.subarray(0, Number(BEFORE_END)))
        expect(to.pages.bytes).toEqual(before)
        const expected = expectedFault({
          device: from.device.address,
          iova: BASE + 2n * PAGE_N,
          access: 'write',
          mapped: false,
        })
        expectReport(fault, expected)
        to.domain.unmap(mapping)
      }
    })

    it('reaches the same memory in one domain', async () => {
      await using stack = new AsyncDisposableStack()
      const domain = stack.use(await Domain.open({ backend }))
      const pages = stack.use(new Pages(3))
      for (const index of [0, 1, 2]) pages.map(domain, index, BASE + BigInt(index) * PAGE_N)
      const one = await openNic(stack, e1000, domain)
      const other = await openNic(stack, e1000e, domain)
      const frame = loopFrame(FRAME, 0xb1)
      pages.page(0).set(frame)
      expect(await one.nic.transfer({ from: BASE, length: FRAME, into: BASE + PAGE_N })).toBe(FRAME)
      expect(await other.nic.transfer({ from: BASE + PAGE_N, length: FRAME, into: BASE + 2n * PAGE_N })).toBe(FRAME)
      expect(pages.page(2).subarray(0, FRAME)).toEqual(frame)
    })
  })
})
