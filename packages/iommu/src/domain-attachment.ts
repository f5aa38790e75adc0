import type { Fd } from '@openbar/linux'
import type { Attachable, Attachment } from './attachable.ts'
import type { BackendAttachment } from './backend/backend.ts'
import type { Domain } from './domain.ts'
import type { PageTable } from './iommufd/page-table.ts'
import type { Membership } from './membership.ts'

/** A device's place in the books of its domain. */
export class DomainAttachment implements Attachment {
  readonly device: Attachable
  readonly inner: BackendAttachment
  /** Gives up the claim on the device's group. */
  readonly leaveGroup: () => void
  /** Where the device is now. */
  domain: Domain
  membership: Membership
  attached = true

  constructor(
    device: Attachable,
    inner: BackendAttachment,
    domain: Domain,
    membership: Membership,
    leaveGroup: () => void,
  ) {
    this.device = device
    this.inner = inner
    this.domain = domain
    this.membership = membership
    this.leaveGroup = leaveGroup
  }

  get fd(): Fd<'device'> {
    return this.inner.fd
  }

  get deviceId(): number | undefined {
    return this.inner.deviceId
  }

  usePageTable(table: PageTable | undefined): void {
    this.inner.usePageTable(table)
  }

  detach(): void {
    if (this.attached) this.membership.detach(this)
  }
}
