import { Errno, isOpenbarError, OpenbarError } from '@openbar/linux'
import type { AddressSpace } from './address-space.ts'
import type { Attachable, Attachment } from './attachable.ts'
import type { Backend, BackendAttachment } from './backend/backend.ts'
import { memlockError } from './backend/map-error.ts'
import type { Domain } from './domain.ts'
import { DomainAttachment } from './domain-attachment.ts'
import { claimGroup, passGroup } from './groups/group-claims.ts'

/** The devices of a domain: who is in, and how they come, leave and move on. */
export class Membership {
  readonly #domain: Domain
  readonly #backend: Backend
  readonly #space: AddressSpace
  /** Called when the last device has left. */
  readonly #onEmpty: () => void
  readonly #attachments = new Set<DomainAttachment>()

  constructor(domain: Domain, backend: Backend, space: AddressSpace, onEmpty: () => void) {
    this.#domain = domain
    this.#backend = backend
    this.#space = space
    this.#onEmpty = onEmpty
  }

  get empty(): boolean {
    return this.#attachments.size === 0
  }

  get devices(): readonly Attachable[] {
    return Array.from(this.#attachments, ({ device }) => device)
  }

  get inner(): readonly BackendAttachment[] {
    return Array.from(this.#attachments, ({ inner }) => inner)
  }

  /** Lets a device in: see {@link Domain.attach}. */
  attach(device: Attachable): Attachment {
    this.#assertOutside(device)
    const leaveGroup = claimGroup(device, this)
    try {
      const inner = this.#backend.attach(device, () => this.#space.makeRemembered())
      const attachment = new DomainAttachment(device, inner, this.#domain, this, leaveGroup)
      this.#attachments.add(attachment)
      this.#space.rangesChanged()
      return attachment
    } catch (error) {
      leaveGroup()
      throw this.#explain(error)
    }
  }

  /** Lets a device go. */
  detach(attachment: DomainAttachment): void {
    attachment.inner.assertAtRest()
    attachment.attached = false
    this.#attachments.delete(attachment)
    try {
      attachment.inner.detach()
    } finally {
      attachment.leaveGroup()
      this.#left()
    }
  }

  /** Moves a group to another domain: see {@link Domain.moveGroup}. */
  moveGroup(group: number, to: Membership): boolean {
    const moving = [...this.#attachments].filter(({ device }) => device.group === group)
    if (moving.length === 0) throw notHereError(group)
    if (to === this) return true
    if (this.#backend.replaceable(to.#backend) && this.#replace(group, moving, to)) return true
    const devices = moving.map(({ device }) => device)
    for (const device of devices) assertMovable(device)
    for (const device of devices) device.leaving?.()
    for (const attachment of moving) attachment.detach()
    try {
      for (const device of devices) device.arrived?.(to.attach(device))
    } catch (error) {
      to.#sendBack(devices, this)
      throw error
    }
    return false
  }

  /** After a move that failed: takes out those that had arrived, and lets all in again where they came from. */
  #sendBack(devices: readonly Attachable[], from: Membership): void {
    const addresses = new Set(devices.map(({ address }) => address))
    const arrived = [...this.#attachments].filter(({ device }) => addresses.has(device.address))
    for (const { device } of arrived) device.leaving?.()
    for (const attachment of arrived) attachment.detach()
    // A domain that was closed meanwhile has ended with its last device.
    if (from.#domain.closed) return
    try {
      for (const device of devices) device.arrived?.(from.attach(device))
    } catch {
      // The error that is worth telling is the one that started this.
    }
  }

  /** Moves devices in one step; `false` when that cannot be done behind this IOMMU, and nothing has changed. */
  #replace(group: number, moving: readonly DomainAttachment[], to: Membership): boolean {
    try {
      this.#backend.replace(
        moving.map(({ inner }) => inner),
        to.#backend,
      )
    } catch (error) {
      // virtio-iommu makes page tables only while it attaches a device, so it cannot change to mappings that are there already.
      if (isOpenbarError(error, 'ERR_SYSCALL') && error.errno === Errno.EADDRINUSE) return false
      throw error
    }
    passGroup(group, to)
    for (const attachment of moving) {
      this.#attachments.delete(attachment)
      to.#attachments.add(attachment)
      attachment.domain = to.#domain
      attachment.membership = to
    }
    to.#space.rangesChanged()
    this.#left()
    return true
  }

  #left(): void {
    this.#space.rangesChanged()
    if (this.empty) this.#onEmpty()
  }

  /** An iommufd pins what is mapped only when the first device comes; then it is the device that cannot be let in. */
  #explain(error: unknown): unknown {
    if (!isOpenbarError(error, 'ERR_SYSCALL') || error.errno !== Errno.ENOMEM) return error
    const bytes = Array.from(this.#space.mappings).reduce((sum, { size }) => sum + size, 0)
    const { syscall = 'ioctl' } = error
    return memlockError('of all mappings together', BigInt(bytes), { errno: Errno.ENOMEM, syscall, cause: error })
  }

  #assertOutside({ address }: Attachable): void {
    if (!this.devices.some((device) => device.address === address)) return
    throw new OpenbarError('ERR_DEVICE_BUSY', {
      message: `${address} is in this domain already.`,
      hint: 'Use the device that was opened first, or close it.',
      context: { address, holders: [] },
    })
  }
}

function notHereError(group: number): OpenbarError<'ERR_DOMAIN_STATE'> {
  return new OpenbarError('ERR_DOMAIN_STATE', {
    message: `No device of IOMMU group ${group} is in this domain.`,
    hint: 'Let one in first: Device.open(address, { domain }).',
    context: { state: 'without the group' },
  })
}

function assertMovable({ address, leaving, arrived }: Attachable): void {
  if (leaving !== undefined && arrived !== undefined) return
  throw new OpenbarError('ERR_NOT_SUPPORTED', {
    message: `${address} cannot be moved to that domain in one step, and does not say how to let go of it.`,
    hint: 'Detach it, and attach it to the other domain.',
    context: { what: 'moving a device' },
  })
}
