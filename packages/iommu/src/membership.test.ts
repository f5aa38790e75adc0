import { Errno, syscallError } from '@openbar/linux'
import { describe, expect, test } from 'vitest'
import type { Attachable, Attachment } from './attachable.ts'
import { Domain } from './domain.ts'
import { FakeBackend } from './testing/fake-backend.ts'
import { thrownBy } from './testing/thrown-by.ts'

/** A device that follows when its group is moved, and notes what it is told. */
class FollowingDevice implements Attachable {
  readonly cdev = undefined
  readonly address: string
  readonly group: number
  readonly told: string[] = []
  attachment: Attachment | undefined

  constructor(address: string, group: number) {
    this.address = address
    this.group = group
  }

  leaving(): void {
    this.told.push('leaving')
  }

  arrived(attachment: Attachment): void {
    this.told.push('arrived')
    this.attachment = attachment
  }
}

/** A group of its own for each test, which may leave devices behind in it: groups are claimed in the whole process. */
let groups = 100

function twoDomains(oneStep: boolean) {
  groups += 1
  const group = groups
  const [one, other] = [new FakeBackend(), new FakeBackend()]
  if (oneStep) one.sibling = other
  const [from, to] = [Domain.over(one), Domain.over(other)]
  const devices = ['0000:00:02.0', '0000:00:02.1'].map((address) => new FollowingDevice(address, group))
  const attachments = devices.map((device) => from.attach(device))
  const addresses = devices.map(({ address }) => address)
  return { group, one, other, from, to, devices, attachments, addresses }
}

describe('Domain.moveGroup', () => {
  test('moves all devices of the group in one step where the kernel can, and they are not disturbed', () => {
    const { group, one, from, to, devices, attachments, addresses } = twoDomains(true)
    const stranger = from.attach(new FollowingDevice('0000:00:09.0', 9))
    // The fake kernel knows no groups: the stranger is moved there too, and not in the books.
    expect(from.moveGroup(group, to)).toBe(true)
    expect([from.snapshot().devices, to.snapshot().devices]).toEqual([['0000:00:09.0'], addresses])
    expect(devices.flatMap(({ told }) => told)).toEqual([])
    expect(attachments.map(({ domain }) => domain)).toEqual([to, to])
    expect(one.devices).toEqual([])
    expect(stranger.domain).toBe(from)
    // The group belongs to the other domain now.
    expect(thrownBy(() => from.attach(new FollowingDevice('0000:00:02.2', group))).code).toBe('ERR_GROUP_BUSY')
    for (const attachment of attachments) attachment.detach()
    expect(to.snapshot().devices).toEqual([])
    from.attach(new FollowingDevice('0000:00:02.2', group)).detach()
  })

  test('moves them by way of none elsewhere, and tells each', () => {
    const { group, one, other, from, to, devices, attachments, addresses } = twoDomains(false)
    expect(from.moveGroup(group, to)).toBe(false)
    expect([from.snapshot().devices, to.snapshot().devices]).toEqual([[], addresses])
    expect([one.devices, other.devices]).toEqual([[], addresses])
    expect(devices.map(({ told }) => told.join())).toEqual(['leaving,arrived', 'leaving,arrived'])
    // The old places are gone, and the new ones hold.
    for (const attachment of attachments) attachment.detach()
    expect(other.devices).toEqual(addresses)
    for (const { attachment } of devices) attachment?.detach()
    expect(other.devices).toEqual([])
  })

  test('changes nothing when the kernel refuses the one step', () => {
    const { group, one, from, to, devices, addresses } = twoDomains(true)
    one.refuseReplace = new Error('no')
    expect(() => from.moveGroup(group, to)).toThrow('no')
    expect([from.snapshot().devices, to.snapshot().devices]).toEqual([addresses, []])
    expect(devices.flatMap(({ told }) => told)).toEqual([])
  })

  test.each([
    ['a closed domain', 'ERR_CLOSED'],
    ['a group that is not here', 'ERR_DOMAIN_STATE'],
    ['a device that cannot be told', 'ERR_NOT_SUPPORTED'],
  ])('refuses %s, and changes nothing', (what, code) => {
    const { group: own, from, to, devices, addresses } = twoDomains(false)
    const mute = what === 'a device that cannot be told'
    if (mute) from.attach({ address: '0000:00:02.2', group: own, cdev: undefined })
    if (what === 'a closed domain') to.close()
    const group = what === 'a group that is not here' ? 7 : own
    expect(thrownBy(() => from.moveGroup(group, to)).code).toBe(code)
    expect(from.snapshot().devices).toEqual(mute ? [...addresses, '0000:00:02.2'] : addresses)
    expect(devices.flatMap(({ told }) => told)).toEqual([])
  })

  test('brings all devices back when one is not let in', () => {
    const { group, other, from, to, devices, addresses } = twoDomains(false)
    other.refuseDevice = ({ address }) => (address.endsWith('.1') ? new Error('no') : undefined)
    expect(() => from.moveGroup(group, to)).toThrow('no')
    expect([from.snapshot().devices, to.snapshot().devices]).toEqual([addresses, []])
    expect(devices.map(({ told }) => told.join())).toEqual(['leaving,arrived,leaving,arrived', 'leaving,arrived'])
    for (const { attachment } of devices) attachment?.detach()
    expect(from.snapshot().devices).toEqual([])
  })

  test('leaves them in none when they cannot go back', () => {
    const { group, one, other, from, to, devices } = twoDomains(false)
    other.refuseDevice = () => new Error('no')
    one.refuseDevice = () => new Error('nor here')
    expect(() => from.moveGroup(group, to)).toThrow('no')
    expect([from.snapshot().devices, to.snapshot().devices]).toEqual([[], []])
    one.refuseDevice = () => undefined
    from.attach(devices[0]!).detach()
  })

  test('goes by way of none where the one step is not possible', () => {
    const { group, one, from, to, devices, addresses } = twoDomains(true)
    one.refuseReplace = syscallError('ioctl(VFIO_DEVICE_ATTACH_IOMMUFD_PT)', Errno.EADDRINUSE, '0000:00:02.0')
    expect(from.moveGroup(group, to)).toBe(false)
    expect([from.snapshot().devices, to.snapshot().devices]).toEqual([[], addresses])
    expect(devices.map(({ told }) => told.join())).toEqual(['leaving,arrived', 'leaving,arrived'])
  })

  test('finishes a closed domain that its last device leaves', () => {
    for (const oneStep of [true, false]) {
      const { group, one, from, to, addresses } = twoDomains(oneStep)
      const buffer = from.allocate(4096)
      from.close()
      from.moveGroup(group, to)
      expect([one.closed, buffer.closed, from.snapshot().state]).toEqual([true, true, 'closed'])
      expect(to.snapshot().devices).toEqual(addresses)
      to.close()
    }
  })
})

describe('a device that is not at rest', () => {
  test('stays in the domain', () => {
    const { one, from, attachments, addresses } = twoDomains(false)
    one.busMaster = true
    expect(() => attachments[0]?.detach()).toThrow('bus master')
    expect(from.snapshot().devices).toEqual(addresses)
    one.busMaster = false
    attachments[0]?.detach()
    expect(from.snapshot().devices).toEqual(['0000:00:02.1'])
  })
})

describe('a device that drives few address lines', () => {
  test('keeps what is picked below its limit, while it is in the domain', () => {
    const domain = Domain.over(new FakeBackend())
    const attachment = domain.attach({ address: '0000:00:04.0', group: 4, cdev: undefined, addressBits: 28 })
    domain.map({ address: 0, size: 0x1000_0000 - 0x100_0000 - 4096 }, { iova: 0x100_0000 })
    expect(domain.pickIova(4096)).toBe(0xfff_f000n)
    expect(thrownBy(() => domain.pickIova(8192))).toMatchObject({ code: 'ERR_IOVA_EXHAUSTED' })
    expect(thrownBy(() => domain.pickIova(8192, { maxIova: 0xffff_ffff })).message).toContain('up to 0xfffffff')
    attachment.detach()
    expect(domain.pickIova(8192)).toBe(0xfff_f000n)
  })
})
