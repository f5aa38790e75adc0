import { MappedMemory } from '@openbar/linux'
import { afterEach, describe, expect, it } from 'vitest'
import { translating } from '../../support/backend-differences.ts'
import { backends } from '../../support/backends.ts'
import { startChild } from '../../support/child.ts'
import { errorOf } from '../../support/error-of.ts'
import { hugepagePool, setHugepages } from '../../support/hugepage-pool.ts'
import { loopFrame, RawNic } from '../../support/raw-nic.ts'
import { shareDevice } from '../../support/shared-device.ts'

const PAGE = 4096
const HUGE = 2 * 1024 * 1024
const FIRST = 0x100_0000
const FRAME = 60

describe.each(translating(backends))('allocating on %s', (backend) => {
  const shared = shareDevice(backend)
  afterEach(() => {
    expect(shared.domain.snapshot().mappings).toEqual([])
  })

  it('picks the lowest free address from 16 MiB on, and again what was freed', () => {
    const { domain } = shared
    const [one, two, three] = [PAGE, 2 * PAGE, PAGE].map((size) => domain.allocate(size))
    expect([one!.iova, two!.iova, three!.iova]).toEqual([0x100_0000n, 0x100_1000n, 0x100_3000n])
    two!.close()
    // Too large for the gap; then two that fill it.
    using large = domain.allocate(3 * PAGE)
    expect(large.iova).toBe(0x100_4000n)
    const small = [domain.allocate(1), domain.allocate(PAGE)]
    expect(small.map(({ iova, size }) => [iova, size])).toEqual([
      [0x100_1000n, PAGE],
      [0x100_2000n, PAGE],
    ])
    for (const buffer of [small[1]!, one!, small[0]!, three!]) buffer.close()
    // What was four pieces is one again.
    using again = domain.allocate(4 * PAGE)
    expect(again.iova).toBe(0x100_0000n)
  })

  it('keeps to an alignment and to a limit', () => {
    const { domain } = shared
    using _first = domain.allocate(PAGE)
    for (const align of [PAGE, 65_536, HUGE, 2 ** 30]) {
      using buffer = domain.allocate(PAGE, { align })
      expect(buffer.iova % BigInt(align)).toBe(0n)
      expect(domain.pickIova(PAGE, { align })).toBeGreaterThan(buffer.iova)
    }
    using low = domain.allocate(PAGE, { maxIova: FIRST + 2 * PAGE - 1 })
    expect(low.iova).toBe(BigInt(FIRST + PAGE))
  })

  it('goes around what the caller has mapped, and around the interrupt window', () => {
    const { domain } = shared
    const memory = MappedMemory.anonymous(PAGE)
    domain.map(memory, { iova: FIRST + PAGE })
    expect(domain.pickIova(2 * PAGE)).toBe(BigInt(FIRST + 2 * PAGE))
    expect(domain.pickIova(PAGE)).toBe(BigInt(FIRST))
    expect(domain.pickIova(0xfee0_0000 - FIRST)).toBe(0xfef0_0000n)
    domain.unmapAll()
    memory.revoke()
  })

  it('says that a range is full, tells what is free, and maps nothing', async () => {
    const { domain } = shared
    const limit = { maxIova: FIRST + 4 * PAGE - 1 }
    const buffers = [0, 1, 2, 3].map(() => domain.allocate(PAGE, limit))
    const snapshot = domain.snapshot()
    const error = await errorOf('ERR_IOVA_EXHAUSTED', () => domain.allocate(PAGE, limit))
    expect(error.context.size).toBe(BigInt(PAGE))
    expect(error.context.ranges.every(({ start, last }) => last < FIRST || start > limit.maxIova)).toBe(true)
    await errorOf('ERR_IOVA_EXHAUSTED', () => domain.pickIova(PAGE, limit))
    await errorOf('ERR_IOVA_EXHAUSTED', () => domain.pickIova(2 ** 52, { align: 2 ** 52, maxIova: 2 ** 51 }))
    expect(domain.snapshot()).toEqual(snapshot)
    buffers[2]!.close()
    using again = domain.allocate(PAGE, limit)
    expect(again.iova).toBe(BigInt(FIRST + 2 * PAGE))
    for (const buffer of buffers) buffer.close()
  })

  it('takes hugepages where they are asked for, and plain pages where they are only preferred', async () => {
    const { domain } = shared
    setHugepages(1)
    try {
      {
        using buffer = domain.allocate(PAGE, { hugepages: '2MiB' })
        expect([buffer.pageSize, buffer.size, Number(buffer.iova) % HUGE]).toEqual([HUGE, HUGE, 0])
        const error = await errorOf('ERR_NO_HUGEPAGES', () => domain.allocate(PAGE, { hugepages: '2MiB' }))
        expect(error.context).toEqual({ pageSize: HUGE, need: 1, free: 0, total: 1 })
        using plain = domain.allocate(PAGE, { hugepages: 'prefer' })
        expect([plain.pageSize, plain.size]).toEqual([PAGE, PAGE])
      }
      expect(hugepagePool(HUGE).free).toBe(1)
      using preferred = domain.allocate(PAGE, { hugepages: 'prefer' })
      expect([preferred.pageSize, preferred.size]).toEqual([HUGE, HUGE])
    } finally {
      setHugepages(0)
    }
  })

  it('shares memory with another process and the device', async () => {
    const { domain, device } = shared
    await using nic = await RawNic.start(device)
    using buffer = domain.allocate(PAGE, { shared: true })
    buffer.bytes.set(loopFrame(FRAME, 0x11))
    expect(await nic.transfer({ from: buffer.iova, length: FRAME, into: buffer.iova + 1024n })).toBe(FRAME)
    // The other process reads what the device wrote, and writes what the device shall read.
    await using child = await startChild(`
      import { openSync } from 'node:fs'
      import { asFd, MappedMemory } from '${import.meta.resolve('@openbar/linux')}'
      const memory = MappedMemory.fromMemoryFd(asFd(openSync('/proc/${process.pid}/fd/${buffer.memory.fd}', 'r+')))
      const bytes = new Uint8Array(memory.buffer)
      console.log(Buffer.from(bytes.subarray(1024, ${1024 + FRAME})).toString('hex'))
      bytes.copyWithin(2048, 1024, ${1024 + FRAME})
      bytes.fill(0x22, 2048 + 14, ${2048 + FRAME})
    `)
    const [line = ''] = child.line.split('\n')
    expect(line).toBe(Buffer.from(loopFrame(FRAME, 0x11)).toString('hex'))
    await expect.poll(() => buffer.bytes[2048 + FRAME - 1]).toBe(0x22)
    expect(await nic.transfer({ from: buffer.iova + 2048n, length: FRAME, into: buffer.iova + 3072n })).toBe(FRAME)
    expect(buffer.bytes.subarray(3072, 3072 + FRAME)).toEqual(loopFrame(FRAME, 0x22))
  })
})
