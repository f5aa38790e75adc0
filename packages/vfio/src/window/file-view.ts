import type { Revocable } from './revocable.ts'

/** A window without memory, as its device keeps it. */
export class FileView implements Revocable {
  readonly mapped = false
  #revoked = false

  get revoked(): boolean {
    return this.#revoked
  }

  revoke(): void {
    this.#revoked = true
  }
}
