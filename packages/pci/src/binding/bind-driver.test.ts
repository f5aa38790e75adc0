import { describe, expect, it } from 'vitest'
import { FakeKernel, type Fault } from '../testing/fake-kernel.ts'
import { type FakeFunction, fakeSysfs } from '../testing/fake-sysfs.ts'
import { bindDriver } from './bind-driver.ts'
import { currentDriver } from './current-driver.ts'
import { unbindDriver } from './unbind-driver.ts'

const address = '0000:03:00.0'

/** @param timeout In milliseconds; short only where a kernel that hangs is waited for, as a busy machine is slow too. */
function machine(fn: FakeFunction = { driver: 'e1000e', group: 12 }, timeout = 20_000) {
  const sysfs = fakeSysfs({ [address]: fn }, ['e1000e', 'vfio-pci', 'other'])
  const kernel = new FakeKernel(sysfs)
  return { kernel, options: { sysfs, io: kernel, timeout } }
}

describe('bindDriver', () => {
  it('moves a function to another driver and back', async () => {
    const { kernel, options } = machine()
    const binding = await bindDriver('03:00.0', 'vfio-pci', options)
    expect(binding).toMatchObject({ driver: 'vfio-pci', previousDriver: 'e1000e', previousOverride: undefined })
    expect(kernel.writes).toEqual(['driver_override vfio-pci', `unbind ${address}`, `drivers_probe ${address}`])
    expect(await kernel.state(address)).toEqual(['vfio-pci', 'vfio-pci'])
    await binding.restore()
    expect(kernel.writes.slice(3)).toEqual([
      'driver_override e1000e',
      `unbind ${address}`,
      `drivers_probe ${address}`,
      'driver_override',
    ])
    expect(await kernel.state(address)).toEqual(['e1000e', '(null)'])
  })

  it('binds what had no driver, and leaves it with none', async () => {
    const { kernel, options } = machine({ group: 12 })
    const binding = await bindDriver(address, 'vfio-pci', options)
    expect(await kernel.state(address)).toEqual(['vfio-pci', 'vfio-pci'])
    await binding.restore()
    expect(await kernel.state(address)).toEqual([undefined, '(null)'])
  })

  it('gives back an override that was there before', async () => {
    const { kernel, options } = machine({ driver: 'e1000e', override: 'other' })
    const binding = await bindDriver(address, 'vfio-pci', options)
    await binding.restore()
    expect(await kernel.state(address)).toEqual(['e1000e', 'other'])
  })

  it('leaves alone what is bound already, and so does restore', async () => {
    const { kernel, options } = machine({ driver: 'vfio-pci' })
    const binding = await bindDriver(address, 'vfio-pci', options)
    await binding.restore()
    expect(kernel.writes).toEqual([])
  })

  it('restores once, however often asked, and at the end of a block', async () => {
    const { kernel, options } = machine()
    {
      await using binding = await bindDriver(address, 'vfio-pci', options)
      await Promise.all([binding.restore(), binding.restore()])
    }
    expect(kernel.writes).toHaveLength(7)
  })

  it('says which module to load when the driver is not there', async () => {
    const { kernel, options } = machine()
    await expect(bindDriver(address, 'vfio-platform', options)).rejects.toMatchObject({
      code: 'ERR_DRIVER_BINDING',
      message: expect.stringMatching(/no PCI driver vfio-platform\. Load it: modprobe vfio-platform$/),
      context: { address, driver: 'vfio-platform', step: 'find driver' },
    })
    expect(kernel.writes).toEqual([])
  })

  it('refuses what is no device, no driver and no timeout', async () => {
    const { options } = machine()
    await expect(bindDriver('03:00.1', 'vfio-pci', options)).rejects.toThrow(
      /no PCI function 0000:03:00.1. Was 0000:03/,
    )
    for (const driver of ['', '..', 'a/b', 'a\nb']) {
      await expect(bindDriver(address, driver, options)).rejects.toMatchObject({ code: 'ERR_INVALID_ARGUMENT' })
    }
    for (const timeout of [0, -1, Number.NaN, Number.POSITIVE_INFINITY]) {
      await expect(bindDriver(address, 'vfio-pci', { ...options, timeout })).rejects.toThrow(/timeout must be/)
    }
  })
})

describe('a step that fails', () => {
  const steps = ['set driver_override', 'unbind', 'probe'] as const

  it.each(
    steps.flatMap((step, write) => [
      { step, write, fault: { errno: 'EIO' } as Fault },
      { step, write, fault: 'ignore' as Fault },
    ]),
  )('is named and undone: $step, $fault', async ({ step, write, fault }) => {
    const { kernel, options } = machine()
    kernel.faults.set(write, fault)
    await expect(bindDriver(address, 'vfio-pci', options)).rejects.toMatchObject({
      code: 'ERR_DRIVER_BINDING',
      message: expect.stringContaining('The device is with e1000e, as before.'),
      context: { address, step },
    })
    expect(await kernel.state(address)).toEqual(['e1000e', '(null)'])
  })

  it.each(steps)('tells that root is needed: %s', async (step) => {
    const { kernel, options } = machine()
    kernel.faults.set(steps.indexOf(step), { errno: 'EACCES' })
    await expect(bindDriver(address, 'vfio-pci', options)).rejects.toMatchObject({
      errno: 13,
      syscall: 'write',
      hint: expect.stringContaining('Run it as root'),
    })
  })

  it.each(steps)('does not hang with the kernel, and touches nothing more: %s', async (step) => {
    const { kernel, options } = machine(undefined, 500)
    const write = steps.indexOf(step)
    kernel.faults.set(write, 'hang')
    await expect(bindDriver(address, 'vfio-pci', options)).rejects.toMatchObject({
      code: 'ERR_TIMEOUT',
      message: expect.stringContaining('Nothing was undone.'),
      context: { waitedFor: expect.stringContaining(`step '${step}'`), milliseconds: 500 },
    })
    expect(kernel.writes).toHaveLength(write + 1)
  })

  it.each([0, 1, 2, 3])('of restore is undone and can be tried again: write %i', async (write) => {
    const { kernel, options } = machine()
    const binding = await bindDriver(address, 'vfio-pci', options)
    kernel.faults.set(3 + write, { errno: 'EIO' })
    await expect(binding.restore()).rejects.toMatchObject({ code: 'ERR_DRIVER_BINDING' })
    expect(await kernel.state(address)).toEqual(['vfio-pci', 'vfio-pci'])
    await binding.restore()
    expect(await kernel.state(address)).toEqual(['e1000e', '(null)'])
  })

  it('tells of both when undoing fails as well', async () => {
    const { kernel, options } = machine()
    kernel.faults.set(2, { errno: 'EINVAL' })
    kernel.faults.set(4, { errno: 'EIO' })
    await expect(bindDriver(address, 'vfio-pci', options)).rejects.toMatchObject({
      message: expect.stringMatching(
        /failed at 'probe': the kernel answered EINVAL.*not be given back to e1000e either.*EIO/,
      ),
      cause: expect.any(AggregateError),
    })
  })

  it('hints at the IOMMU when a VFIO driver refuses a device without group', async () => {
    const { kernel, options } = machine({ driver: 'e1000e' })
    kernel.faults.set(2, 'ignore')
    await expect(bindDriver(address, 'vfio-pci', options)).rejects.toThrow(
      /vfio-pci refused the device.*no IOMMU group/,
    )
  })

  it('names the driver that came first', async () => {
    const { kernel, options } = machine()
    kernel.faults.set(2, () => kernel.bind(address, 'other'))
    await expect(bindDriver(address, 'vfio-pci', options)).rejects.toThrow(/'probe': other took the device/)
    expect(await kernel.state(address)).toEqual(['e1000e', '(null)'])
  })

  it('hints at the holder when a VFIO driver does not let go', async () => {
    const { kernel, options } = machine(undefined, 500)
    const binding = await bindDriver(address, 'vfio-pci', options)
    kernel.faults.set(4, 'hang')
    await expect(binding.restore()).rejects.toThrow(/only when no program holds the device: close/)
  })
})

describe('a signal', () => {
  it('stops before anything is done', async () => {
    const { kernel, options } = machine()
    const signal = AbortSignal.abort(new Error('enough'))
    await expect(bindDriver(address, 'vfio-pci', { ...options, signal })).rejects.toThrow('enough')
    expect(kernel.writes).toEqual([])
  })

  it('stops between steps, and what was done is undone', async () => {
    const { kernel, options } = machine()
    const controller = new AbortController()
    kernel.faults.set(1, () => {
      kernel.writes.pop()
      kernel.faults.delete(1)
      controller.abort(new Error('enough'))
      return kernel.write(`${options.sysfs}/bus/pci/drivers/e1000e/unbind`, address)
    })
    await expect(bindDriver(address, 'vfio-pci', { ...options, signal: controller.signal })).rejects.toThrow('enough')
    expect(await kernel.state(address)).toEqual(['e1000e', '(null)'])
  })
})

describe('restore', () => {
  it('does not take the device from a third driver', async () => {
    const { kernel, options } = machine()
    const binding = await bindDriver(address, 'vfio-pci', options)
    kernel.bind(address, 'other')
    await expect(binding.restore()).rejects.toThrow(/somebody else has bound the device to other since/)
    expect(await kernel.state(address)).toEqual(['other', 'vfio-pci'])
  })

  it('clears the override when the old driver has the device already', async () => {
    const { kernel, options } = machine()
    const binding = await bindDriver(address, 'vfio-pci', options)
    kernel.bind(address, 'e1000e')
    await binding.restore()
    expect(await kernel.state(address)).toEqual(['e1000e', '(null)'])
  })
})

describe('unbindDriver', () => {
  it('takes the driver away and gives it back', async () => {
    const { kernel, options } = machine()
    const binding = await unbindDriver(address, options)
    expect([await kernel.state(address), binding.driver]).toEqual([[undefined, '(null)'], undefined])
    await binding.restore()
    expect(await kernel.state(address)).toEqual(['e1000e', '(null)'])
  })

  it('does nothing where there is no driver', async () => {
    const { kernel, options } = machine({})
    await (await unbindDriver(address, options)).restore()
    expect(kernel.writes).toEqual([])
  })

  it('says when the driver does not allow it', async () => {
    const { kernel, options } = machine()
    kernel.faults.set(0, { errno: 'ENOENT' })
    await expect(unbindDriver(address, options)).rejects.toThrow(/The driver does not allow its devices to be unbound/)
  })
})

describe('currentDriver', () => {
  it('names the driver, or none, or the device that is not there', () => {
    const { options } = machine()
    expect(currentDriver(address, options)).toBe('e1000e')
    expect(currentDriver(address, machine({}).options)).toBeUndefined()
    expect(() => currentDriver('03:00.1', options)).toThrow(/There is no PCI function 0000:03:00.1/)
  })
})
