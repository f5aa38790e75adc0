import type { Fd } from '@openbar/linux'
import type { Attachable, Attachment } from './attachable.ts'
import type { BackendAttachment } from './backend/backend.ts'
import type { Domain } from './domain.ts'

/** A device's place in the books of its domain. */
export class DomainAttachment implements Attachment {
  readonly device: Attachable
  readonly inner: BackendAttachment
  /** Where the device is now. */
  domain: Domain
  attached = true
  readonly #leave: (attachment: DomainAttachment) => void

  constructor(
    device: Attachable,
    inner: BackendAttachment,
    domain: Domain,
    leave: (attachment: DomainAttachment) => void,
  ) {
    this.device = device
    this.inner = inner
    this.domain = domain
    this.#leave = leave
  }

  get fd(): Fd<'device'> {
    return this.inner.fd
  }

  get deviceId(): number | undefined {
    return this.inner.deviceId
  }

  detach(): void {
    if (this.attached) this.#leave(this)
  }
}
