import { OpenbarError } from '@openbar/linux'
import type { AddressSpace } from './address-space.ts'
import type { Attachable, Attachment } from './attachable.ts'
import { attachError } from './backend/attach-error.ts'
import type { Backend, BackendAttachment } from './backend/backend.ts'
import type { Domain } from './domain.ts'
import { DomainAttachment } from './domain-attachment.ts'
import { claimGroup, passGroup } from './groups/group-claims.ts'

/** The devices of a domain: who is in, and how they come, leave and move on. */
export class Membership {
  readonly #domain: Domain
  readonly #backend: Backend
  readonly #space: AddressSpace
  /** Called when a device has come or left. */
  readonly #onChange: () => void
  readonly #attachments = new Set<DomainAttachment>()

  constructor(domain: Domain, backend: Backend, space: AddressSpace, onChange: () => void) {
    this.#domain = domain
    this.#backend = backend
    this.#space = space
    this.#onChange = onChange
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
      this.#changed()
      return attachment
    } catch (error) {
      leaveGroup()
      throw attachError(error, [...this.#space.mappings])
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
      this.#changed()
    }
  }

  /** Moves a group to another domain: see {@link Domain.moveGroup}. */
  moveGroup(group: number, to: Membership): boolean {
    const moving = [...this.#attachments].filter(({ device }) => device.group === group)
    if (moving.length === 0) throw notHereError(group)
    if (to === this) return true
    const inners = moving.map(({ inner }) => inner)
    if (this.#backend.replaceable(to.#backend, inners)) {
      this.#replace(group, moving, inners, to)
      return true
    }
    const devices = moving.map(({ device }) => device)
    for (const device of devices) assertMovable(device)
    leaveTogether(moving)
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
    try {
      leaveTogether(arrived)
      // A domain that was closed meanwhile has ended with its last device.
      if (from.#domain.closed) return
      for (const device of devices) device.arrived?.(from.attach(device))
    } catch {
      // The error that is worth telling is the one that started this.
    }
  }

  #replace(
    group: number,
    moving: readonly DomainAttachment[],
    inners: readonly BackendAttachment[],
    to: Membership,
  ): void {
    try {
      this.#backend.replace(inners, to.#backend)
    } catch (error) {
      throw attachError(error, [...to.#space.mappings])
    }
    passGroup(group, to)
    for (const attachment of moving) {
      this.#attachments.delete(attachment)
      to.#attachments.add(attachment)
      attachment.domain = to.#domain
      attachment.membership = to
    }
    to.#changed()
    this.#changed()
  }

  #changed(): void {
    this.#space.rangesChanged()
    this.#onChange()
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

/** Each step is taken whatever becomes of the others: one left out would keep a device in a domain that it knows nothing of. */
function leaveTogether(moving: readonly DomainAttachment[]): void {
  using steps = new DisposableStack()
  for (const attachment of moving) steps.defer(() => attachment.detach())
  for (const { device } of moving) steps.defer(() => device.leaving?.())
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
