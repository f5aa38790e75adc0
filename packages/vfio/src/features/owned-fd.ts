import { closeFd, type Fd } from '@openbar/linux'
import type { OwnedHalf } from './owned-view.ts'

/** A file descriptor that the core closes, and a user may close before. */
export class OwnedFd implements OwnedHalf {
  readonly mapped = false
  readonly fd: Fd<'file'>
  closed = false

  constructor(fd: Fd<'file'>) {
    this.fd = fd
  }

  revoke(): void {
    if (this.closed) return
    this.closed = true
    closeFd(this.fd)
  }
}
