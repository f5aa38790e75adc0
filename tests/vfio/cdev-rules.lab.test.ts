import { readSync } from 'node:fs'
import { Domain, kernelInterfaces } from '@openbar/iommu'
import { closeFd, Errno, openFd, tryIoctl, VFIO_DEVICE_RESET } from '@openbar/linux'
import { type Binding, bindDriver, readFunction } from '@openbar/pci'
import { Device } from '@openbar/vfio'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { backends } from '../support/backends.ts'
import { type Cdev, openCdev } from '../support/cdev.ts'
import { errorOf } from '../support/error-of.ts'
import { allocateSpace, openIommufd } from '../support/iommufd.ts'
import { nicAddress } from '../support/nics.ts'
import { processState } from '../support/process-state.ts'

const NOT_OPEN = 9999
const NO_OBJECT = 0xffff_ffff
/** Not in every list of errors: the file is of another kind. */
const EBADFD = 77

// A file without tests is a failure, and not every kernel has character devices.
it('character devices are here where this row of the matrix says so', () => {
  expect(kernelInterfaces().iommufd).toBe(backends.includes('iommufd'))
})

// What the kernel demands of a program that uses character devices; the package's own refusals stand beside each.
describe.each(backends.filter((backend) => backend === 'iommufd'))('a VFIO character device on %s', (backend) => {
  const address = nicAddress('e1000e')
  let binding: Binding

  beforeAll(async () => {
    binding = await bindDriver(address, 'vfio-pci')
  })
  afterAll(() => binding.restore())

  /** A device that is bound to a context, with an address space there. */
  function bound(): Disposable & { cdev: Cdev; space: { ioas: number }; iommufd: number } {
    const stack = new DisposableStack()
    const { fd } = stack.use(openIommufd())
    const cdev = stack.use(openCdev(address))
    expect(cdev.bind(fd)).toBe(0)
    return { cdev, space: allocateSpace(fd), iommufd: fd, [Symbol.dispose]: () => stack.dispose() }
  }

  it('answers nothing before it is bound, and all afterwards', () => {
    using context = openIommufd()
    using cdev = openCdev(address)
    const { ioas } = allocateSpace(context.fd)
    expect(cdev.getInfo()).toBe(-Errno.EINVAL)
    expect(tryIoctl(cdev.fd, VFIO_DEVICE_RESET)).toBe(-Errno.EINVAL)
    expect(cdev.attach(ioas)).toBe(-Errno.EINVAL)
    expect(cdev.detach()).toBe(-Errno.EINVAL)
    expect(() => readSync(cdev.fd, Buffer.alloc(4))).toThrow('EINVAL')
    expect(cdev.bind(context.fd)).toBe(0)
    expect(cdev.deviceId).toBeGreaterThan(0)
    expect(cdev.getInfo()).toBe(0)
  })

  it('is bound to nothing but an iommufd, and can be bound after each refusal', () => {
    using context = openIommufd()
    using cdev = openCdev(address)
    const other = openFd('/dev/null')
    expect(cdev.bind(-2)).toBe(-Errno.EINVAL)
    expect(cdev.bind(NOT_OPEN)).toBe(-Errno.EBADF)
    expect(cdev.bind(other)).toBe(-EBADFD)
    expect(cdev.bind(context.fd, { argsz: 8 })).toBe(-Errno.EINVAL)
    expect(cdev.bind(context.fd, { flags: 1 << 8 })).toBe(-Errno.EINVAL)
    closeFd(other)
    expect(cdev.getInfo()).toBe(-Errno.EINVAL)
    expect(cdev.bind(context.fd)).toBe(0)
  })

  it('is bound once, by one of its files', () => {
    using first = bound()
    using other = openIommufd()
    expect(first.cdev.bind(first.iommufd)).toBe(-Errno.EINVAL)
    expect(first.cdev.bind(other.fd)).toBe(-Errno.EINVAL)
    using second = openCdev(address)
    expect(second.bind(first.iommufd)).toBe(-Errno.EINVAL)
    expect(second.bind(other.fd)).toBe(-Errno.EINVAL)
    expect(second.getInfo()).toBe(-Errno.EINVAL)
    expect(first.cdev.getInfo()).toBe(0)
  })

  it('is free again when its file is closed, also to be opened through its group', () => {
    {
      using _first = bound()
    }
    {
      using _again = bound()
      expect(() => openFd(`/dev/vfio/${readFunction(address).iommuGroup}`)).toThrow('EBUSY')
    }
    const group = openFd(`/dev/vfio/${readFunction(address).iommuGroup}`)
    using context = openIommufd()
    using cdev = openCdev(address)
    expect(cdev.bind(context.fd)).toBe(-Errno.EBUSY)
    closeFd(group)
    expect(cdev.bind(context.fd)).toBe(0)
  })

  it('is attached to an address space of its own context, and to nothing else', () => {
    using one = bound()
    using other = openIommufd()
    const { cdev } = one
    expect(cdev.attach(NO_OBJECT)).toBe(-Errno.ENOENT)
    expect(cdev.attach(cdev.deviceId)).toBe(-Errno.EINVAL)
    // Numbers begin anew in each context, so the first few stand for something else here.
    const foreign = Array.from({ length: 8 }, () => allocateSpace(other.fd).ioas).at(-1)!
    expect(cdev.attach(foreign)).toBe(-Errno.ENOENT)
    expect(cdev.attach(one.space.ioas, { argsz: 4 })).toBe(-Errno.EINVAL)
    expect(cdev.attach(one.space.ioas, { flags: 1 << 8 })).toBe(-Errno.EINVAL)
    expect(cdev.attach(one.space.ioas)).toBe(0)
    // A refusal leaves it where it is.
    expect(cdev.attach(NO_OBJECT)).toBe(-Errno.ENOENT)
    expect(cdev.attach(one.space.ioas)).toBe(0)
    expect(cdev.getInfo()).toBe(0)
  })

  it('is detached as often as one likes, and attached again', () => {
    using one = bound()
    const { cdev, space } = one
    expect(cdev.detach()).toBe(0)
    expect(cdev.attach(space.ioas)).toBe(0)
    expect(cdev.detach()).toBe(0)
    expect(cdev.detach()).toBe(0)
    expect(cdev.attach(space.ioas)).toBe(0)
  })

  it('in the hands of the package: refusals say what is wrong, and change nothing', async () => {
    const before = processState()
    {
      await using domain = await Domain.open({ backend })
      // Bad files.
      await errorOf('ERR_INVALID_ARGUMENT', () => Device.open(address, { domain, fd: -2 }))
      await errorOf('ERR_INVALID_ARGUMENT', () => Device.open(address, { domain, fd: NOT_OPEN }))
      await errorOf('ERR_INVALID_ARGUMENT', () => Domain.adopt({ backend: 'iommufd', fd: NOT_OPEN, ioas: 1 }))
      const other = openFd('/dev/null')
      await errorOf('ERR_INVALID_ARGUMENT', () => Domain.adopt({ backend: 'iommufd', fd: other, ioas: 1 }))
      closeFd(other)
      using context = openIommufd()
      await errorOf('ERR_INVALID_ARGUMENT', () => Domain.adopt({ backend: 'iommufd', fd: context.fd, ioas: NO_OBJECT }))
      expect(domain.snapshot().devices).toEqual([])
      // Bound and attached once; detached as often as one likes.
      await using device = await Device.open(address, { domain })
      await errorOf('ERR_DEVICE_BUSY', () => Device.open(address, { domain }))
      device.setDomain(domain)
      device.unsetDomain()
      device.unsetDomain()
      await errorOf('ERR_NO_DOMAIN', () => device.info)
      await errorOf('ERR_NO_DOMAIN', () => device.reset())
      const closed = await Domain.open({ backend })
      closed.close()
      await errorOf('ERR_CLOSED', () => device.setDomain(closed))
      device.setDomain(domain)
      expect(device.info.regions).toBeGreaterThan(0)
    }
    expect(processState()).toEqual(before)
  })
})
