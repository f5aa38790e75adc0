import { Domain } from '@openbar/iommu'
import { closeFd, Errno, type Fd, MappedMemory, MessageSocket, openFd } from '@openbar/linux'
import { bindDriver } from '@openbar/pci'
import { Device } from '@openbar/vfio'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { translating } from '../support/backend-differences.ts'
import { backends } from '../support/backends.ts'
import { errorOf } from '../support/error-of.ts'
import { nicAddress } from '../support/nics.ts'
import { openDevice } from '../support/open-device.ts'
import { processState } from '../support/process-state.ts'
import { loopFrame, RawNic } from '../support/raw-nic.ts'

const PAGE = 4096
const TOKEN = '00112233-4455-6677-8899-aabbccddeeff'

/** The same open file once more, as another process gets it. */
async function again(fd: number): Promise<Fd> {
  const [near, far] = MessageSocket.pair()
  await near.send(Uint8Array.of(1), { fds: [fd as Fd], timeout: 1000 })
  const message = await far.receive({ maxFds: 1, timeout: 1000 })
  near.close()
  far.close()
  const [copy] = message?.fds ?? []
  if (copy === undefined) throw new Error('no file came')
  return copy
}

async function sendsFrames(device: Device): Promise<boolean> {
  await using nic = await RawNic.start(device)
  using from = device.domain.allocate(PAGE)
  using into = device.domain.allocate(PAGE)
  const frame = loopFrame(100, 9)
  from.bytes.set(frame)
  await nic.transfer({ from: from.iova, length: frame.length, into: into.iova })
  return Buffer.from(frame).equals(into.bytes.subarray(0, frame.length))
}

describe.each(translating(backends))('a domain that is adopted, on %s', (backend) => {
  it('knows what was mapped before, and leaves it; what it maps itself ends with it', async () => {
    const before = processState()
    {
      await using opened = await openDevice('e1000e', backend)
      const { domain } = opened
      const memory = MappedMemory.anonymous(4 * PAGE)
      const page = (index: number) => ({ address: memory.address + index * PAGE, size: PAGE })
      domain.map(page(0), { iova: 0x1000_0000, access: 'read' })
      const { fd, ...description } = domain.handOver()
      const adopted = await Domain.adopt({ ...description, fd: await again(fd) } as Parameters<typeof Domain.adopt>[0])
      expect(adopted.backend).toBe(backend)
      const snapshot = adopted.snapshot()
      expect(snapshot.mappings).toMatchObject([{ iova: 0x1000_0000n, size: PAGE, access: 'read', state: 'mapped' }])
      expect(snapshot.ranges).toEqual(domain.snapshot().ranges)
      await errorOf('ERR_IOVA_IN_USE', () => adopted.map(page(1), { iova: 0x1000_0000 }))
      adopted.map(page(1), { iova: 0x2000_0000 })
      const buffer = adopted.allocate(PAGE, { iova: 0x3000_0000 })
      // The kernel has both, though the other books know nothing of it.
      expect((await errorOf('ERR_IOVA_IN_USE', () => domain.map(page(2), { iova: 0x2000_0000 }))).errno).toBe(
        Errno.EEXIST,
      )
      adopted.close()
      expect(buffer.closed).toBe(true)
      domain.map(page(2), { iova: 0x2000_0000 })
      domain.map(page(3), { iova: 0x3000_0000 })
      expect(domain.unmap({ iova: 0x1000_0000, size: PAGE })).toBe(PAGE)
      domain.unmapAll()
      memory.revoke()
    }
    expect(processState()).toEqual(before)
  })

  it('refuses mappings that are not there, where the kernel can tell', async () => {
    await using opened = await openDevice('e1000e', backend)
    const { fd, ...description } = opened.domain.handOver()
    const copy = await again(fd)
    const mappings = [{ iova: 0x1000_0000, size: PAGE, access: 'read' as const }]
    const adopting = () => Domain.adopt({ ...description, fd: copy, mappings } as Parameters<typeof Domain.adopt>[0])
    if (backend === 'iommufd') {
      await errorOf('ERR_NOT_MAPPED', adopting)
      closeFd(copy)
    } else {
      const adopted = await adopting()
      await errorOf('ERR_NOT_MAPPED', () => adopted.unmap({ iova: 0x1000_0000, size: PAGE }))
      adopted.close()
    }
  })
})

describe.each(translating(backends))('a device whose file was opened by another program, on %s', (backend) => {
  let binding: Awaited<ReturnType<typeof bindDriver>>
  const address = nicAddress('e1000e')
  const other = nicAddress('e1000')

  beforeAll(async () => {
    binding = await bindDriver(address, 'vfio-pci')
  })
  afterAll(() => binding.restore())

  it.runIf(backend === 'iommufd')('is bound to the iommufd of its domain, and moves within it', async () => {
    const before = processState()
    {
      const located = await Device.open(address)
      const { cdev = '' } = located
      await located.close()
      await using domain = await Domain.open({ backend })
      await using device = await Device.open(address, { domain, fd: openFd<'device'>(cdev) })
      expect(await sendsFrames(device)).toBe(true)
      await using beside = await Domain.open({ backend })
      device.setDomain(beside)
      expect(await sendsFrames(device)).toBe(true)
      device.unsetDomain()
      await errorOf('ERR_NO_DOMAIN', () => device.bar(0))
      await using isolated = await Domain.open({ backend, isolated: true })
      await errorOf('ERR_NOT_SUPPORTED', () => device.setDomain(isolated))
      device.setDomain(domain)
      expect(await sendsFrames(device)).toBe(true)

      // Bound once, it cannot be bound again, to whatever.
      const copy = await again(device.attachment.fd)
      await errorOf('ERR_GROUP_BUSY', () => Device.open(address, { domain: isolated, fd: copy }))
      closeFd(copy)
    }
    expect(processState()).toEqual(before)
  })

  it('is refused when the file is none of it, and the file stays open', async () => {
    await using domain = await Domain.open({ backend })
    await using foreign = await openDevice('e1000', backend)
    for (const wrong of [openFd<'device'>('/dev/null'), await again(foreign.device.attachment.fd)]) {
      const code = backend === 'iommufd' ? 'ERR_INVALID_ARGUMENT' : 'ERR_NOT_SUPPORTED'
      // A kernel with character devices tells whose file it is.
      await expect(Device.open(address, { domain, fd: wrong })).rejects.toMatchObject({
        code: expect.stringMatching(new RegExp(`${code}|ERR_INVALID_ARGUMENT`)),
      })
      closeFd(wrong)
    }
    expect(domain.snapshot().devices).toEqual([])
    expect(other).not.toBe(address)
  })

  it('takes no VF token, being no SR-IOV function', async () => {
    await using domain = await Domain.open({ backend })
    const refused = await errorOf('ERR_NOT_SUPPORTED', () => Device.open(address, { domain, vfToken: TOKEN }))
    expect(refused.message).toMatch(
      backend === 'iommufd' ? /through groups alone|takes no VF token/ : /takes no VF token/,
    )
    expect(refused.message).not.toContain(TOKEN)
    await errorOf('ERR_INVALID_ARGUMENT', () => Device.open(address, { domain, vfToken: 'secret' }))
    await using device = await Device.open(address, { domain })
    expect(device.config.vendorId).toBe(0x8086)
  })
})
