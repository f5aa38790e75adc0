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
    if (this.#backend.replaceable(to.#backend)) {
      this.#replace(group, moving, to)
      return true
    }
    for (const { device } of moving) assertMovable(device)
    for (const { device } of moving) device.leaving?.()
    for (const attachment of moving) attachment.detach()
    for (const { device } of moving) device.arrived?.(to.attach(device))
    return false
  }

  #replace(group: number, moving: readonly DomainAttachment[], to: Membership): void {
    this.#backend.replace(
      moving.map(({ inner }) => inner),
      to.#backend,
    )
    passGroup(group, to)
    for (const attachment of moving) {
      this.#attachments.delete(attachment)
      to.#attachments.add(attachment)
      attachment.domain = to.#domain
      attachment.membership = to
    }
    to.#space.rangesChanged()
    this.#left()
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
