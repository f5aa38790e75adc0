import { inspect } from 'node:util'
import { isOpenbarError, MappedMemory, OpenbarError } from '@openbar/linux'
import { describe, expect, test } from 'vitest'
import type { Attachable } from './attachable.ts'
import type { DmaBuffer } from './dma-buffer.ts'
import { Domain } from './domain.ts'
import type { MapOptions } from './domain-options.ts'
import type { MappableMemory } from './mapping.ts'
import { FakeBackend, type FakeBackendOptions } from './testing/fake-backend.ts'
import { thrownBy } from './testing/thrown-by.ts'

const NIC: Attachable = { address: '0000:00:02.0', group: 2, cdev: undefined }
const DISK: Attachable = { address: '0000:00:03.0', group: 3, cdev: undefined }
const NEIGHBOUR: Attachable = { address: '0000:00:02.1', group: 2, cdev: undefined }
/** Pages that no test touches, but that have to be there. They are aligned to 2 MiB. */
const ROOM = MappedMemory.anonymous(2 * 1024 * 1024)
const memory = (pages = 1): MappableMemory => ({ address: BigInt(ROOM.address), size: pages * 4096 })

function open(options: FakeBackendOptions = {}) {
  const backend = new FakeBackend(options)
  return { backend, domain: Domain.over(backend) }
}

describe('Domain.map', () => {
  test('maps memory where the caller says, with the rights that it says', () => {
    const { backend, domain } = open()
    const pages = memory(2)
    const mapping = domain.map(pages, { iova: 0x2000, access: 'read' })
    expect(mapping).toMatchObject({ iova: 0x2000n, last: 0x3fffn, size: 8192, access: 'read', memory: pages })
    expect(inspect(mapping)).toBe(
      `{\n  iova: 8192n,\n  last: 16383n,\n  size: 8192,\n  access: 'read',\n  memory: ${inspect(pages)}\n}`,
    )
    expect(backend.mapped.get(0x2000n)).toEqual({ iova: 0x2000n, size: 8192n, address: pages.address, access: 'read' })
  })

  test('gives devices both rights when none are named', () => {
    const { backend, domain } = open()
    domain.map(memory(), { iova: 0n })
    expect(backend.mapped.get(0n)?.access).toBe('read-write')
  })

  test('takes ranges that touch, and the last page there is', () => {
    const { backend, domain } = open({ ranges: [{ start: 0n, last: 2n ** 64n - 1n }] })
    domain.map(memory(), { iova: 0x2000 })
    domain.map(memory(), { iova: 0x1000 })
    domain.map(memory(), { iova: 0x3000 })
    domain.map(memory(), { iova: 2n ** 64n - 4096n })
    expect(backend.mapped.size).toBe(4)
  })

  const closedMemory = MappedMemory.anonymous(4096)
  closedMemory.revoke()
  const refusals: [why: string, code: string, text: RegExp, memory: MappableMemory, options: MapOptions][] = [
    ['a misaligned IOVA', 'ERR_IOVA_ALIGNMENT', /IOVA, 0x1800,.*4096/, memory(), { iova: 0x1800 }],
    ['a misaligned size', 'ERR_IOVA_ALIGNMENT', /size, 0x64,/, { address: 0n, size: 100 }, { iova: 0 }],
    ['a misaligned address', 'ERR_IOVA_ALIGNMENT', /address, 0x10,/, { address: 0x10n, size: 4096 }, { iova: 0 }],
    ['no bytes', 'ERR_INVALID_ARGUMENT', /memory\.size/, { address: 0n, size: 0 }, { iova: 0 }],
    ['a negative IOVA', 'ERR_INVALID_ARGUMENT', /iova must be/, memory(), { iova: -4096 }],
    ['an IOVA of more than 64 bits', 'ERR_INVALID_ARGUMENT', /iova must be/, memory(), { iova: 2n ** 64n }],
    ['a range past 2^64', 'ERR_IOVA_RANGE', /0xfffffffffffff000-/, memory(2), { iova: 2n ** 64n - 4096n }],
    [
      'a range outside the aperture',
      'ERR_IOVA_RANGE',
      /0x8000000000-.*0xfef00000-0x7fffffffff/,
      memory(),
      { iova: 2n ** 39n },
    ],
    ['a range in the interrupt window', 'ERR_IOVA_RANGE', /0xfee00000-/, memory(), { iova: 0xfee0_0000 }],
    ['a range that leaves its range', 'ERR_IOVA_RANGE', /0xfedff000-/, memory(2), { iova: 0xfedf_f000 }],
    ['an overlap', 'ERR_IOVA_IN_USE', /0x10000-0x13fff is mapped already/, memory(2), { iova: 0xf000 }],
    ['unknown rights', 'ERR_INVALID_ARGUMENT', /access/, memory(), { iova: 0, access: 'all' as 'read' }],
    ['a closed memory', 'ERR_CLOSED', /memory was closed/, closedMemory, { iova: 0 }],
    ['a typed array', 'ERR_MEMORY_KIND', /allocate/, new Uint8Array(4096) as never, { iova: 0 }],
    ['a Buffer', 'ERR_MEMORY_KIND', /allocate/, Buffer.alloc(4096) as never, { iova: 0 }],
    ['an ArrayBuffer', 'ERR_MEMORY_KIND', /allocate/, new ArrayBuffer(4096) as never, { iova: 0 }],
    ['a SharedArrayBuffer', 'ERR_MEMORY_KIND', /allocate/, new SharedArrayBuffer(4096) as never, { iova: 0 }],
    ['a DataView', 'ERR_MEMORY_KIND', /allocate/, new DataView(new ArrayBuffer(4096)) as never, { iova: 0 }],
    ['no memory', 'ERR_INVALID_ARGUMENT', /memory must be/, undefined as never, { iova: 0 }],
  ]

  test.each(refusals)('refuses %s, and changes nothing', (_, code, text, given, options) => {
    const { backend, domain } = open()
    domain.map(memory(4), { iova: 0x1_0000 })
    const before = { snapshot: domain.snapshot(), kernel: [...backend.mapped] }
    const error = thrownBy(() => domain.map(given, options))
    expect(error.code).toBe(code)
    expect(error.message).toMatch(text)
    expect({ snapshot: domain.snapshot(), kernel: [...backend.mapped] }).toEqual(before)
  })

  test('refuses the same before the first device of a type1 container, as far as it can be known', () => {
    const { domain } = open({ name: 'type1' })
    domain.map(memory(), { iova: 0x1000 })
    expect(thrownBy(() => domain.map(memory(), { iova: 0x1000 })).code).toBe('ERR_IOVA_IN_USE')
    expect(thrownBy(() => domain.map(memory(), { iova: 0x1800 })).code).toBe('ERR_IOVA_ALIGNMENT')
    expect(thrownBy(() => domain.map(memory(2), { iova: 2n ** 64n - 4096n })).code).toBe('ERR_IOVA_RANGE')
    expect(domain.snapshot().mappings).toHaveLength(1)
  })

  test('goes by a larger page size where the IOMMU has one', () => {
    const { domain } = open({ alignment: 65536 })
    expect(thrownBy(() => domain.map(memory(16), { iova: 0x1000 }))).toMatchObject({
      code: 'ERR_IOVA_ALIGNMENT',
      context: { iova: 0x1000n, size: 65536n, alignment: 65536n },
    })
    expect(domain.map(memory(16), { iova: 0x1_0000 }).size).toBe(65536)
  })

  test('keeps its books when the kernel refuses, so that the range is free for the next', () => {
    const { backend, domain } = open()
    const refused = new Error('no')
    backend.refuseMap = () => refused
    expect(() => domain.map(memory(), { iova: 0x1000 })).toThrow(refused)
    expect(domain.snapshot().mappings).toEqual([])
    backend.refuseMap = () => undefined
    expect(domain.map(memory(), { iova: 0x1000 }).iova).toBe(0x1000n)
  })
})

describe('Domain.unmap', () => {
  test('takes a mapping, or several in a range, and answers the bytes', () => {
    const { backend, domain } = open()
    const first = domain.map(memory(), { iova: 0x1000 })
    expect(domain.unmap(first)).toBe(4096)
    domain.map(memory(2), { iova: 0x1000 })
    domain.map(memory(1), { iova: 0x5000 })
    domain.map(memory(1), { iova: 0x9000 })
    expect(domain.unmap({ iova: 0, size: 0x8000 })).toBe(3 * 4096)
    expect([...backend.mapped.keys()]).toEqual([0x9000n])
    expect(domain.snapshot().mappings.map(({ iova }) => iova)).toEqual([0x9000n])
  })

  test.each([
    ['where nothing is mapped', { iova: 0x10_0000, size: 4096 }, 'nothing is mapped there'],
    ['a part from the start', { iova: 0x1000, size: 4096 }, 'it cuts a mapping'],
    ['a part up to the end', { iova: 0x2000, size: 4096 }, 'it cuts a mapping'],
    ['one mapping and a part of the next', { iova: 0, size: 0x2000 }, 'it cuts a mapping'],
  ])('refuses %s, and changes nothing', (_, range, text) => {
    const { backend, domain } = open()
    domain.map(memory(), { iova: 0 })
    domain.map(memory(2), { iova: 0x1000 })
    const error = thrownBy(() => domain.unmap(range))
    expect(error).toMatchObject({
      code: 'ERR_NOT_MAPPED',
      context: { iova: BigInt(range.iova), size: BigInt(range.size) },
    })
    expect(error.message).toContain(text)
    expect(backend.mapped.size).toBe(2)
    expect(domain.snapshot().mappings).toHaveLength(2)
  })

  test('does not believe a kernel that unmapped less', () => {
    const { backend, domain } = open()
    const mapping = domain.map(memory(2), { iova: 0x1000 })
    backend.refuseUnmap = () => 4096n
    const error = thrownBy(() => domain.unmap(mapping))
    expect(error.code).toBe('ERR_NOT_MAPPED')
    expect(error.message).toContain('4096 bytes instead of 8192')
    expect(domain.snapshot().mappings).toHaveLength(1)
  })

  test("leaves a buffer's memory to the buffer", () => {
    const { backend, domain } = open()
    using buffer = domain.allocate(4096)
    expect(thrownBy(() => domain.unmap(buffer))).toMatchObject({
      code: 'ERR_DOMAIN_STATE',
      context: { state: 'allocated' },
    })
    expect(backend.mapped.has(buffer.iova)).toBe(true)
  })
})

describe('Domain.unmapAll', () => {
  test('takes all mappings, with as few steps as the buffers between them allow, and answers the bytes', () => {
    const { backend, domain } = open()
    for (const iova of [0x1000, 0x2000, 0x8000]) domain.map(memory(), { iova })
    const buffer = domain.allocate(4096)
    domain.map(memory(2), { iova: 0x2000_0000 })
    const steps: bigint[] = []
    backend.refuseUnmap = (iova) => void steps.push(iova)
    expect(domain.unmapAll()).toBe(5 * 4096)
    expect(steps).toEqual([0x1000n, 0x2000_0000n])
    expect([...backend.mapped.keys()]).toEqual([buffer.iova])
    expect(domain.snapshot().mappings).toMatchObject([{ iova: buffer.iova, kind: 'buffer' }])
    expect(domain.unmapAll()).toBe(0)
    domain.close()
  })
})

describe('Domain.pickIova', () => {
  test('picks without taking', () => {
    const { domain } = open()
    expect([domain.pickIova(4096), domain.pickIova(4096)]).toEqual([0x100_0000n, 0x100_0000n])
    domain.map(memory(), { iova: domain.pickIova(1) })
    expect(domain.pickIova(4096, { align: 0x1_0000 })).toBe(0x101_0000n)
    domain.close()
    expect(thrownBy(() => domain.pickIova(4096)).code).toBe('ERR_CLOSED')
  })
})

describe('Domain.allocate', () => {
  test('puts 2 MiB and more on the bounds of large pages, where there is such a place', () => {
    const { backend, domain } = open({ ranges: [{ start: 0x100_0000n, last: 0x16f_ffffn }] })
    domain.map(memory(), { iova: 0x100_0000 })
    const first = domain.allocate(2 * 1024 * 1024)
    expect(first.iova).toBe(0x120_0000n)
    // Only 0x1400000 to 0x16fffff is left that is large enough, and on no such bounds.
    const second = domain.allocate(3 * 1024 * 1024)
    expect([second.iova, backend.mapped.has(second.iova)]).toEqual([0x140_0000n, true])
    domain.close()
  })

  test('makes memory that others can map, when asked', () => {
    const { domain } = open()
    const buffer = domain.allocate(4096, { shared: true })
    expect(buffer.memory.fd).toBeGreaterThan(2)
    expect(domain.allocate(4096).memory.fd).toBeUndefined()
    domain.close()
  })

  test('gives zeroed memory in whole pages, mapped, at the lowest free address from 16 MiB on', () => {
    const { backend, domain } = open()
    domain.map(memory(), { iova: 0x100_0000 })
    const buffer = domain.allocate(5000)
    expect(buffer).toMatchObject({ iova: 0x100_1000n, size: 8192, access: 'read-write', closed: false })
    expect(buffer.bytes).toEqual(new Uint8Array(8192))
    expect(backend.mapped.get(buffer.iova)).toMatchObject({ size: 8192n, access: 'read-write' })
    buffer.u32[1] = 0x0403_0201
    buffer.view.setUint16(0, 0xbeef, true)
    expect([...buffer.bytes.subarray(0, 8)]).toEqual([0xef, 0xbe, 0, 0, 1, 2, 3, 4])
    expect([buffer.u16[0], buffer.u64[0]]).toEqual([0xbeef, 0x0403_0201_0000_beefn])
    buffer.close()
    domain.close()
  })

  test('takes the address, the alignment, the limit and the rights from the caller', () => {
    const { backend, domain } = open()
    expect(domain.allocate(4096, { iova: 0x4000, access: 'write' }).iova).toBe(0x4000n)
    expect(backend.mapped.get(0x4000n)?.access).toBe('write')
    domain.allocate(4096)
    expect(domain.allocate(4096, { align: 0x10000 }).iova).toBe(0x101_0000n)
    expect(thrownBy(() => domain.allocate(4096, { maxIova: 0x100_0fff })).code).toBe('ERR_IOVA_EXHAUSTED')
    expect(domain.allocate(4096, { maxIova: 0x100_1fff }).iova).toBe(0x100_1000n)
    domain.close()
  })

  test('picks what was freed again', () => {
    const { domain } = open()
    const [first] = [domain.allocate(4096), domain.allocate(4096)]
    first?.close()
    expect(domain.allocate(4096).iova).toBe(first?.iova)
    domain.close()
  })

  test.each([
    [0, {}, 'size'],
    [-1, {}, 'size'],
    [Number.NaN, {}, 'size'],
    [4096, { align: 3 }, 'align'],
    [4096, { align: 0 }, 'align'],
    [4096, { align: 2 ** 49 + 1 }, 'align'],
    [4096, { align: 2 ** 53 - 1 }, 'align'],
    [4096, { maxIova: -1 }, 'maxIova'],
    [4096, { access: 'all' as 'read' }, 'access'],
    [4096, { hugepages: '4KiB' as '2MiB' }, 'hugepages'],
    [4096, { shared: 'yes' as unknown as boolean }, 'shared'],
  ])('refuses %d bytes with %o, and maps nothing', (size, options, argument) => {
    const { backend, domain } = open()
    expect(thrownBy(() => domain.allocate(size, options))).toMatchObject({
      code: 'ERR_INVALID_ARGUMENT',
      context: { argument },
    })
    expect(backend.mapped.size).toBe(0)
    expect(domain.snapshot().mappings).toEqual([])
  })

  test('gives the address back when the kernel refuses', () => {
    const { backend, domain } = open()
    const refused = new Error('no')
    backend.refuseMap = () => refused
    expect(() => domain.allocate(4096)).toThrow(refused)
    backend.refuseMap = () => undefined
    expect(domain.allocate(4096).iova).toBe(0x100_0000n)
    domain.close()
  })
})

/** Whether a buffer can be used as memory. */
function alive(buffer: DmaBuffer): boolean {
  buffer.bytes[0] = 1
  return !buffer.closed && buffer.bytes[0] === 1 && buffer.bytes.length === buffer.size
}

describe('DmaBuffer.close', () => {
  test('takes the memory from the devices and from this program', () => {
    const { backend, domain } = open()
    const buffer = domain.allocate(4096)
    const { view, bytes } = buffer
    buffer.close()
    buffer.close()
    expect(backend.mapped.size).toBe(0)
    expect([buffer.closed, bytes.length, bytes[0]]).toEqual([true, 0, undefined])
    expect(() => view.getUint8(0)).toThrow(TypeError)
    expect(domain.snapshot().mappings).toEqual([])
  })

  test('keeps memory that the kernel would not unmap, and can be tried again', () => {
    const { backend, domain } = open()
    const buffer = domain.allocate(4096)
    const refused = new Error('busy')
    backend.refuseUnmap = () => refused
    expect(() => buffer.close()).toThrow(refused)
    expect(alive(buffer)).toBe(true)
    expect(thrownBy(() => domain.unmap(buffer)).code).toBe('ERR_DOMAIN_STATE')
    backend.refuseUnmap = () => undefined
    buffer.close()
    expect(buffer.closed).toBe(true)
    expect(backend.mapped.size).toBe(0)
  })
})

describe('a closed domain', () => {
  test('gives everything back at once when it has no device', () => {
    const { backend, domain } = open()
    domain.map(memory(), { iova: 0x1000 })
    const buffer = domain.allocate(4096)
    domain.close()
    domain.close()
    expect(backend.closed).toBe(true)
    expect(backend.mapped.size).toBe(0)
    expect(buffer.closed).toBe(true)
    expect(domain.closed).toBe(true)
    expect(domain.snapshot()).toEqual({
      id: domain.id,
      backend: 'iommufd',
      state: 'closed',
      devices: [],
      ranges: undefined,
      mappings: [],
      pinnedBytes: 0,
      limits: { mappingsLeft: undefined },
    })
  })

  test('refuses everything but a look', () => {
    const { domain } = open()
    domain.close()
    for (const call of [
      () => domain.map(memory(), { iova: 0 }),
      () => domain.unmap({ iova: 0, size: 4096 }),
      () => domain.allocate(4096),
      () => domain.attach(NIC),
    ]) {
      expect(thrownBy(call)).toMatchObject({ code: 'ERR_CLOSED', context: { what: 'domain' } })
    }
  })

  test('lets its buffers be closed afterwards', () => {
    const { domain } = open()
    const buffer = domain.allocate(4096)
    domain.close()
    expect(() => buffer.close()).not.toThrow()
  })

  test('takes all memory away even where the kernel refuses to close', () => {
    const { backend, domain } = open()
    const buffers = [domain.allocate(4096), domain.allocate(4096)]
    backend.refuseClose = new Error('busy')
    expect(() => domain.close()).toThrow('busy')
    expect(buffers.map(({ closed }) => closed)).toEqual([true, true])
    expect(domain.snapshot().state).toBe('closed')
  })

  test('is disposed of by using and await using', async () => {
    const [one, two] = [open(), open()]
    {
      using _ = one.domain
      await using __ = two.domain
    }
    expect([one.backend.closed, two.backend.closed]).toEqual([true, true])
  })
})

describe.each(['iommufd', 'type1'] as const)('the lifetime of a domain on %s', (name) => {
  test('lasts until its last device leaves', () => {
    const { backend, domain } = open({ name })
    const buffer = domain.allocate(4096)
    const [nic, disk] = [domain.attach(NIC), domain.attach(DISK)]
    domain.close()
    expect(thrownBy(() => domain.allocate(4096)).code).toBe('ERR_CLOSED')
    expect(domain.snapshot()).toMatchObject({
      state: 'closing',
      devices: [NIC.address, DISK.address],
      pinnedBytes: 4096,
    })
    nic.detach()
    nic.detach()
    expect(backend.closed).toBe(false)
    expect(alive(buffer)).toBe(true)
    expect(backend.mapped.size).toBe(1)
    disk.detach()
    expect(backend.closed).toBe(true)
    expect(buffer.closed).toBe(true)
    expect(domain.snapshot()).toMatchObject({ state: 'closed', devices: [], mappings: [] })
  })

  test('lets a buffer be closed while the domain is closing', () => {
    const { backend, domain } = open({ name })
    const buffer = domain.allocate(4096)
    const nic = domain.attach(NIC)
    domain.close()
    buffer.close()
    expect(backend.mapped.size).toBe(0)
    nic.detach()
    expect(backend.closed).toBe(true)
  })

  test('stays open when its last device leaves', () => {
    const { backend, domain } = open({ name })
    domain.attach(NIC).detach()
    expect(domain.snapshot()).toMatchObject({ state: 'open', devices: [] })
    expect(backend.closed).toBe(false)
    domain.close()
  })

  test('refuses a device that is in it, and lets it in again when it has left', () => {
    const { backend, domain } = open({ name })
    const first = domain.attach(NIC)
    expect(thrownBy(() => domain.attach({ ...NIC }))).toMatchObject({
      code: 'ERR_DEVICE_BUSY',
      context: { address: NIC.address },
    })
    expect(backend.devices).toEqual([NIC.address])
    first.detach()
    domain.attach(NIC).detach()
  })

  test('has a group to itself, until the last device of the group has left', () => {
    const [one, two] = [open({ name }), open({ name })]
    const [first, second] = [one.domain.attach(NIC), one.domain.attach(NEIGHBOUR)]
    const attempt = () => thrownBy(() => two.domain.attach(NEIGHBOUR))
    expect(attempt()).toMatchObject({ code: 'ERR_GROUP_BUSY', context: { group: 2 } })
    expect(attempt().message).toContain(NEIGHBOUR.address)
    second.detach()
    expect(attempt().code).toBe('ERR_GROUP_BUSY')
    first.detach()
    two.domain.attach(NEIGHBOUR).detach()
  })

  test('leaves no trace of a device that was refused', () => {
    const [one, two] = [open({ name }), open({ name })]
    const refused = new OpenbarError('ERR_NOT_BOUND', {
      message: 'Not bound.',
      context: { address: NIC.address, driver: undefined },
    })
    one.backend.refuseDevice = () => refused
    expect(() => one.domain.attach(NIC)).toThrow(refused)
    expect(one.domain.snapshot().devices).toEqual([])
    // Its group is free for another domain.
    two.domain.attach(NIC).detach()
    one.domain.close()
    expect(one.backend.closed).toBe(true)
  })

  test('follows the ranges that a device brings with it', () => {
    const { backend, domain } = open({ name })
    const wide = backend.aperture
    const disk = domain.attach(DISK)
    backend.aperture = [{ start: 0x200_0000n, last: 0x2ff_ffffn }]
    const nic = domain.attach(NIC)
    expect(domain.snapshot().ranges).toEqual(backend.aperture)
    expect(domain.allocate(4096).iova).toBe(0x200_0000n)
    expect(thrownBy(() => domain.map(memory(), { iova: 0x1000 })).code).toBe('ERR_IOVA_RANGE')
    backend.aperture = wide
    nic.detach()
    expect(domain.allocate(4096).iova).toBe(0x100_0000n)
    disk.detach()
    domain.close()
  })
})

describe('a group that moves by way of none', () => {
  test('leaves as a whole when a device of it cannot let go, and that is the error', () => {
    const { backend, domain } = open()
    const to = open()
    const left: string[] = []
    const device = (base: Attachable, leave: () => void): Attachable => ({ ...base, leaving: leave, arrived: () => {} })
    const stuck = () => {
      throw new Error('cannot let go')
    }
    domain.attach(device(NIC, () => left.push(NIC.address)))
    domain.attach(device(NEIGHBOUR, stuck))
    expect(() => domain.moveGroup(NIC.group, to.domain)).toThrow('cannot let go')
    expect(left).toEqual([NIC.address])
    expect([backend.devices, domain.snapshot().devices, to.backend.devices]).toEqual([[], [], []])
    // Nobody claims the group any more.
    to.domain.attach(NIC).detach()
    domain.close()
    to.domain.close()
  })
})

describe('mappings that are remembered', () => {
  test('are made when the first device comes, and remembered again when the last has left', () => {
    const { backend, domain } = open({ name: 'type1' })
    domain.map(memory(2), { iova: 0x1000, access: 'read' })
    const buffer = domain.allocate(4096)
    expect(backend.mapped.size).toBe(0)
    expect(domain.snapshot()).toMatchObject({
      ranges: undefined,
      pinnedBytes: 0,
      mappings: [
        { iova: 0x1000n, size: 8192, access: 'read', state: 'remembered' },
        { iova: 0x100_0000n, size: 4096, access: 'read-write', state: 'remembered' },
      ],
    })
    for (let round = 0; round < 2; round += 1) {
      const nic = domain.attach(NIC)
      expect([...backend.mapped.keys()]).toEqual([0x1000n, 0x100_0000n])
      expect(backend.mapped.get(0x1000n)?.access).toBe('read')
      expect(domain.snapshot()).toMatchObject({
        pinnedBytes: 3 * 4096,
        mappings: [{ state: 'mapped' }, { state: 'mapped' }],
      })
      const disk = domain.attach(DISK)
      nic.detach()
      expect(backend.mapped.size).toBe(2)
      disk.detach()
      expect(domain.snapshot().mappings.map(({ state }) => state)).toEqual(['remembered', 'remembered'])
    }
    expect(alive(buffer)).toBe(true)
    expect(domain.unmap({ iova: 0x1000, size: 8192 })).toBe(8192)
    domain.close()
  })

  test('are rolled back when one cannot be made, and the device stays outside', () => {
    const { backend, domain } = open({ name: 'type1' })
    for (const iova of [0x1000, 0x2000, 0x3000]) domain.map(memory(), { iova })
    const before = domain.snapshot()
    backend.refuseMap = ({ iova }) => (iova === 0x2000n ? new Error('no room') : undefined)
    expect(() => domain.attach(NIC)).toThrow('no room')
    expect(backend.mapped.size).toBe(0)
    expect(backend.devices).toEqual([])
    expect(domain.snapshot()).toEqual(before)
    backend.refuseMap = () => undefined
    const nic = domain.attach(NIC)
    expect(backend.mapped.size).toBe(3)
    nic.detach()
    domain.close()
  })

  test('are refused where the device brings a range without them', () => {
    const { backend, domain } = open({ name: 'type1' })
    domain.map(memory(), { iova: 2n ** 40n })
    const error = thrownBy(() => domain.attach(NIC))
    expect(error).toMatchObject({ code: 'ERR_IOVA_RANGE', context: { iova: 2n ** 40n, size: 4096n } })
    expect(backend.devices).toEqual([])
    expect(domain.snapshot().mappings).toHaveLength(1)
  })

  test('are refused when their memory was closed meanwhile', () => {
    const { backend, domain } = open({ name: 'type1' })
    const pages = MappedMemory.anonymous(4096)
    domain.map(pages, { iova: 0x1000 })
    pages.revoke()
    const error = thrownBy(() => domain.attach(NIC))
    expect(isOpenbarError(error, 'ERR_CLOSED')).toBe(true)
    expect(error.message).toContain('0x1000-0x1fff')
    expect(backend.mapped.size).toBe(0)
  })
})

describe('Domain.snapshot', () => {
  test('lists mappings by address, whatever order they were made in, and keeps what it saw', () => {
    const { domain } = open()
    domain.map(memory(2), { iova: 0x9000, access: 'write' })
    domain.map(memory(), { iova: 0x1000 })
    const nic = domain.attach(NIC)
    const snapshot = domain.snapshot()
    domain.unmap({ iova: 0x1000, size: 4096 })
    nic.detach()
    domain.close()
    expect(snapshot).toMatchObject({
      backend: 'iommufd',
      state: 'open',
      devices: [NIC.address],
      pinnedBytes: 12288,
      mappings: [
        { iova: 0x1000n, size: 4096, access: 'read-write', state: 'mapped' },
        { iova: 0x9000n, size: 8192, access: 'write', state: 'mapped' },
      ],
    })
  })
})

test('Domain.open refuses a backend that there is not', async () => {
  await expect(Domain.open({ backend: 'noiommu' as 'type1' })).rejects.toMatchObject({
    code: 'ERR_INVALID_ARGUMENT',
    context: { argument: 'backend', value: 'noiommu' },
  })
})
