import { Domain } from '@openbar/iommu'
import { Device } from '@openbar/vfio'
import { describe, expect, it } from 'vitest'
import { backends } from '../support/backends.ts'
import { errorOf } from '../support/error-of.ts'
import { NICS, nicAddress } from '../support/nics.ts'
import { openDevice } from '../support/open-device.ts'

const STATUS = 0x0008
const STATUS_LINK_UP = 1 << 1
const RDBAL = 0x2800
const ICS = 0x00c8
const IMS = 0x00d0
const IMC = 0x00d8
const ICR = 0x00c0
const LSC = 1 << 2

describe.each(backends)('a device on %s', (backend) => {
  const open = (model: 'e1000' | 'e1000e') => openDevice(model, backend)

  it('opens with a private domain when none is given', async () => {
    await using device = await Device.open(nicAddress('e1000e'), { bind: true })
    expect(device.domain.snapshot().devices).toEqual([device.address])
    expect(device.bar(0).map().read32(STATUS) & STATUS_LINK_UP).toBe(STATUS_LINK_UP)
  })

  it('cannot be touched without a domain', async () => {
    await using domain = await Domain.open({ backend })
    await using device = await Device.open(nicAddress('e1000e'), { domain, bind: true })
    const window = device.bar(0).map()
    const words = window.u32
    expect(words[STATUS / 4]).not.toBe(0)
    device.unsetDomain()
    for (const call of [
      () => device.bar(0),
      () => device.config.vendorId,
      () => device.interrupts.enable('msix'),
      () => device.domain,
      () => device.reset(),
    ]) {
      const error = await errorOf('ERR_NO_DOMAIN', call)
      expect(error.message).toContain(device.address)
    }
    await errorOf('ERR_CLOSED', () => window.read32(STATUS))
    await errorOf('ERR_CLOSED', () => window.write32(STATUS, 0))
    expect(words.length).toBe(0)
    expect(words[STATUS / 4]).toBeUndefined()
    device.setDomain(domain)
    expect(device.bar(0).map().read32(STATUS) & STATUS_LINK_UP).toBe(STATUS_LINK_UP)
  })

  it('moves between domains by way of none, and its old windows stay dead', async () => {
    await using one = await Domain.open({ backend })
    // On iommufd a context of its own: within one, the device would be moved in one step.
    await using other = await Domain.open({ backend, isolated: true })
    await using device = await Device.open(nicAddress('e1000e'), { domain: one, bind: true })
    const window = device.bar(0).map()
    device.setDomain(other)
    expect(one.snapshot().devices).toEqual([])
    expect(other.snapshot().devices).toEqual([device.address])
    await errorOf('ERR_CLOSED', () => window.read32(STATUS))
    expect(device.bar(0).map().read32(STATUS)).toBeGreaterThan(0)
  })

  it('stays where it is when its own domain is set again', async () => {
    await using device = await Device.open(nicAddress('e1000e'), { bind: true })
    const { domain } = device
    const window = device.bar(0).map()
    device.setDomain(domain)
    expect(window.read32(STATUS)).toBeGreaterThan(0)
    expect(domain.closed).toBe(false)
    device.unsetDomain()
    expect(domain.closed).toBe(true)
  })

  it.each(NICS)('starts with bus mastering off, and switches it: $chip', async ({ model }) => {
    await using opened = await open(model)
    const { device } = opened
    expect(device.config.command.busMasterEnable).toBe(false)
    device.config.command.busMasterEnable = true
    expect(device.config.command.busMasterEnable).toBe(true)
    expect(device.config.vendorId).toBe(0x8086)
  })

  it.each(NICS)('reads and writes registers, checked: $chip', async ({ model }) => {
    await using opened = await open(model)
    const { device } = opened
    const bar0 = device.bar(0).map()
    expect(bar0.mapped).toBe(true)
    bar0.write32(RDBAL, 0x5a5a_5a5a)
    // The low four bits are ignored, which QEMU's 82574L shows on a read and its 82540EM does not.
    expect(bar0.read32(RDBAL) & ~0xf).toBe(0x5a5a_5a50)
    await errorOf('ERR_MISALIGNED', () => bar0.read32(2))
    await errorOf('ERR_OUT_OF_BOUNDS', () => bar0.read32(bar0.size))
    await errorOf('ERR_OUT_OF_BOUNDS', () => bar0.write32(-4, 0))
    await errorOf('ERR_REGION', () => device.bar(5))
  })

  it('reaches I/O ports through the same interface, by reading and writing', async () => {
    await using opened = await open('e1000')
    const { device } = opened
    // 8254x SDM 13.2.2.1: IOADDR selects a register, IODATA is it.
    const ports = device.bar(1).map()
    expect(ports.mapped).toBe(false)
    ports.write32(0, RDBAL)
    const memory = device.bar(0).map()
    memory.write32(RDBAL, 0x1000)
    expect(ports.read32(0)).toBeTypeOf('number')
    await errorOf('ERR_REGION', () => ports.u32)
    await errorOf('ERR_OUT_OF_BOUNDS', () => ports.read32(ports.size))
    ports.close()
    await errorOf('ERR_CLOSED', () => ports.read32(0))
  })

  it('takes its windows away when memory decoding is switched off', async () => {
    await using opened = await open('e1000e')
    const { device } = opened
    const window = device.bar(0).map()
    const words = window.u32
    device.config.command.memorySpaceEnable = false
    expect(words.length).toBe(0)
    await errorOf('ERR_CLOSED', () => window.read32(STATUS))
    device.config.command.memorySpaceEnable = true
    expect(device.bar(0).map().read32(STATUS) & STATUS_LINK_UP).toBe(STATUS_LINK_UP)
  })

  it('survives a view that was transferred away, and one that is still being compressed', async () => {
    const { deflateSync, deflate } = await import('node:zlib')
    await using domain = await Domain.open({ backend })
    const device = await Device.open(nicAddress('e1000e'), { domain, bind: true })
    const buffer = domain.allocate(1024 * 1024)
    const pending = new Promise((resolve, reject) => {
      deflate(buffer.bytes, (error, result) => (error ? reject(error) : resolve(result.length)))
    })
    const transferred = domain.allocate(4096)
    const stolen = new Uint32Array(transferred.u32.buffer.transfer())
    buffer.close()
    transferred.close()
    await device.close()
    stolen[0] = 7
    expect(stolen[0]).toBe(7)
    expect(await pending).toBeGreaterThanOrEqual(deflateSync(new Uint8Array(1024 * 1024)).length)
  })

  it.each(NICS.flatMap(({ model, chip, kinds }) => kinds.map((kind) => ({ model, chip, kind }))))(
    'delivers $kind into the event loop: $chip',
    async ({ model, kind }) => {
      await using opened = await open(model)
      const { device } = opened
      const bar0 = device.bar(0).map()
      bar0.write32(IMC, 0xffff_ffff)
      bar0.read32(ICR)
      device.config.command.busMasterEnable = true
      const [vector] = device.interrupts.enable(kind).vectors
      if (kind === 'msix') {
        // 82574 10.2.4.9: the other causes, of which a link change is one, go to vector 0.
        bar0.write32(0x00e4, 1 << 19)
        bar0.write32(IMS, 1 << 24)
      }
      bar0.write32(IMS, LSC)
      bar0.write32(ICS, LSC)
      expect(await vector.wait({ timeout: 5000 })).toBeGreaterThan(0)
      expect(bar0.read32(ICR) & LSC).toBe(LSC)
      bar0.write32(IMC, 0xffff_ffff)
      bar0.write32(ICR, 0xffff_ffff)
      const late = await errorOf('ERR_TIMEOUT', () => vector.wait({ timeout: 50 }))
      expect(late.message).toContain(device.address)
    },
  )

  it('wakes each MSI-X vector by itself, as callback, iteration and wait', async () => {
    await using opened = await open('e1000e')
    const { device } = opened
    const { vectors } = device.interrupts.enable('msix', { vectors: 3 })
    const called: number[] = []
    using _subscription = vectors[0].subscribe((count) => called.push(count))
    const iterated = (async () => {
      for await (const count of vectors[1]!.events()) return count
      return 0
    })()
    vectors[0].trigger()
    vectors[1]!.trigger()
    vectors[2]!.trigger()
    expect(await vectors[2]!.wait({ timeout: 5000 })).toBe(1)
    expect(await iterated).toBe(1)
    await expect.poll(() => called).toEqual([1])
  })

  it('says that bus mastering is off when no message can come', async () => {
    await using opened = await open('e1000e')
    const { device } = opened
    const [vector] = device.interrupts.enable('msi').vectors
    const error = await errorOf('ERR_TIMEOUT', () => vector.wait({ timeout: 20 }))
    expect(error.hint).toContain('busMasterEnable = true')
    device.config.command.busMasterEnable = true
    const later = await errorOf('ERR_TIMEOUT', () => vector.wait({ timeout: 20 }))
    expect(later.hint).toBeUndefined()
  })

  it('ends waits when interrupts are switched off, and refuses a second kind', async () => {
    await using opened = await open('e1000e')
    const { device } = opened
    const [vector] = device.interrupts.enable('msi').vectors
    await errorOf('ERR_INTERRUPT', () => device.interrupts.enable('msix'))
    const waiting = errorOf('ERR_CLOSED', () => vector.wait({ timeout: 60_000 }))
    device.interrupts.disable()
    expect((await waiting).message).toContain('MSI vector 0')
    const error = await errorOf('ERR_INTERRUPT', () => device.interrupts.enable('msix', { vectors: 6 }))
    expect(error.message).toContain('it has 5 MSI-X vectors')
    await errorOf('ERR_NOT_SUPPORTED', () => device.interrupts.enable('msi').vectors[0].mask())
  })

  it('closes twice, in any order, and says that it is closed', async () => {
    const domain = await Domain.open({ backend })
    const device = await Device.open(nicAddress('e1000e'), { domain, bind: true })
    const window = device.bar(0).map()
    await Promise.all([device.close(), device.close()])
    window.close()
    domain.close()
    domain.close()
    await errorOf('ERR_CLOSED', () => device.bar(0))
    await errorOf('ERR_CLOSED', () => window.read32(STATUS))
  })
})

describe('a device that cannot be opened', () => {
  it('is not there', async () => {
    const error = await errorOf('ERR_NO_DEVICE', () => Device.open('0000:7f:00.0'))
    expect(error.message).toContain('0000:7f:00.0')
  })

  it('is bound to no VFIO driver, and the error says how to take it', async () => {
    const address = nicAddress('e1000e')
    const error = await errorOf('ERR_NOT_BOUND', () => Device.open(address))
    expect(error.message).toContain(`Device.open('${address}', { bind: true })`)
  })

  it('is in another domain of this process, on a container', async () => {
    await using one = await Domain.open({ backend: 'type1' })
    await using other = await Domain.open({ backend: 'type1' })
    await using device = await Device.open(nicAddress('e1000e'), { domain: one, bind: true })
    const error = await errorOf('ERR_GROUP_BUSY', () => Device.open(device.address, { domain: other }))
    expect(error.message).toContain(`group ${device.group}`)
  })
})
