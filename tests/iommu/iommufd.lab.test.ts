import { copyMapping, hardwareInfo, iommufdFeatures, iovaRanges, kernelInterfaces, PageTable } from '@openbar/iommu'
import { describeLab } from '@openbar/lab/guest'
import { Errno, MappedMemory } from '@openbar/linux'
import { describe, expect, it } from 'vitest'
import { backends } from '../support/backends.ts'
import { errorOf } from '../support/error-of.ts'
import { allocateSpace, destroyIn, mapIn, openIommufd, unmapIn } from '../support/iommufd.ts'
import { bindToIommufd } from '../support/iommufd-device.ts'
import { nicAddress } from '../support/nics.ts'
import { processState } from '../support/process-state.ts'

const PAGE = 4096
const { iommu } = describeLab()

/** A context with an address space, and the e1000e bound to it. */
async function open() {
  await using opening = new AsyncDisposableStack()
  const context = opening.use(openIommufd())
  const device = opening.use(await bindToIommufd(context.fd, nicAddress('e1000e')))
  const opened = opening.move()
  return {
    fd: context.fd,
    device,
    space: allocateSpace(context.fd),
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  }
}

it('iommufd is here where this row of the matrix says so', () => {
  expect(kernelInterfaces().iommufd).toBe(backends.includes('iommufd'))
})

describe.each(backends.filter((backend) => backend === 'iommufd'))('%s on a real device', () => {
  it('knows the requests that the mock needs', () => {
    using context = openIommufd()
    expect(iommufdFeatures(context.fd)).toMatchObject({ pageTables: true, dirtyTracking: true, faultQueues: true })
  })

  it('tells what the IOMMU is', async () => {
    await using lab = await open()
    const info = hardwareInfo(lab.fd, lab.device.deviceId)
    expect(info).toMatchObject({ dirtyTracking: false, pasidBits: 0, pasidExecute: false, pasidPrivileged: false })
    if (iommu !== 'intel') {
      // Linux 6.12 has no registers to tell of these.
      expect(info).toMatchObject({ type: 'none', typeNumber: 0, vtd: undefined })
      expect(info.bytes).toHaveLength(0)
      return
    }
    expect(info).toMatchObject({ type: 'intel-vtd', typeNumber: 1 })
    expect(info.bytes).toHaveLength(24)
    expect(info.vtd).toMatchObject({
      domains: 65536,
      addressWidth: 39,
      tableWidths: [39],
      largePages: [2 ** 21, 2 ** 30],
      interruptRemapping: true,
      scalableMode: false,
      nesting: false,
      dirtyBits: false,
      pageRequests: false,
      pasidBits: 0,
    })
  })

  if (iommu === 'virtio') {
    it("has no page table of the caller's behind a virtio IOMMU, and says so", async () => {
      await using lab = await open()
      const memory = MappedMemory.anonymous(PAGE)
      const allocate = () => PageTable.allocate(lab.space, lab.device.deviceId)
      const before = iovaRanges(lab.space)
      for (const mapped of [false, true]) {
        if (mapped) mapIn(lab.space, memory, 0x1000_0000n)
        const error = await errorOf('ERR_NOT_SUPPORTED', allocate)
        expect(error.context.what).toBe("page table of the caller's")
        expect(error.message).toContain('only while it attaches a device')
        // A table that reaches nothing would keep all else from being mapped too.
        expect(iovaRanges(lab.space)).toEqual(before)
      }
      unmapIn(lab.space, 0x1000_0000n, PAGE)
      destroyIn(lab.fd, lab.space.ioas)
      memory.revoke()
    })
  } else {
    it('allocates a page table, which the device is attached to', async () => {
      await using lab = await open()
      const memory = MappedMemory.anonymous(2 * PAGE)
      mapIn(lab.space, memory, 0x1000_0000n)
      const table = PageTable.allocate(lab.space, lab.device.deviceId)
      lab.device.attach(table.id)
      const error = await errorOf('ERR_DOMAIN_STATE', () => table.close())
      expect(error).toMatchObject({ errno: Errno.EBUSY, context: { state: expect.stringContaining('attached') } })
      lab.device.detach()
      table.close()
      expect(unmapIn(lab.space, 0x1000_0000n, 2 * PAGE)).toBe(2 * PAGE)
      memory.revoke()
    })
  }

  it.each([
    ['dirty tracking', { dirtyTracking: true }],
    ['tables that others nest in', { nestParent: true }],
  ])('has no %s behind an IOMMU of QEMU 7.2, and says that the IOMMU lacks it', async (_, options) => {
    await using lab = await open()
    const error = await errorOf('ERR_NOT_SUPPORTED', () => PageTable.allocate(lab.space, lab.device.deviceId, options))
    expect(error).toMatchObject({ errno: Errno.EOPNOTSUPP, syscall: 'ioctl(IOMMU_HWPT_ALLOC)' })
    expect(error.message).toContain(`The IOMMU of device ${lab.device.deviceId}`)
    destroyIn(lab.fd, lab.space.ioas)
  })

  it('copies what is mapped for the device into another address space, pinned once', async () => {
    await using lab = await open()
    const other = allocateSpace(lab.fd)
    lab.device.attach(lab.space.ioas)
    const memory = MappedMemory.anonymous(4 * PAGE)
    mapIn(lab.space, memory, 0x1000_0000n)
    const pinned = processState().pinned
    copyMapping(lab.fd, { from: lab.space.ioas, fromIova: 0x1000_1000n, to: other.ioas, toIova: 0, size: 2 * PAGE })
    expect(processState().pinned).toBe(pinned)
    // The device moves to the copy: attached anew, without being detached, where the driver can do that.
    if (iommu === 'virtio') lab.device.detach()
    lab.device.attach(other.ioas)
    expect(unmapIn(lab.space, 0x1000_0000n, 4 * PAGE)).toBe(4 * PAGE)
    expect(unmapIn(other, 0n, 2 * PAGE)).toBe(2 * PAGE)
    lab.device.detach()
    memory.revoke()
  })

  it('leaves nothing behind', async () => {
    const before = processState()
    {
      await using lab = await open()
      lab.device.attach(lab.space.ioas)
      if (iommu !== 'virtio') PageTable.allocate(lab.space, lab.device.deviceId)
    }
    expect(processState()).toEqual(before)
  })
})
