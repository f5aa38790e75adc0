import type { MappedMemory } from '@openbar/linux'
import type { RevocationListener } from '@openbar/pci'
import type { Revocable } from './revocable.ts'

/** The mapped memory of a window, as its device keeps it. */
export class MappedView implements Revocable {
  readonly mapped = true
  readonly #parts: readonly MappedMemory[]
  #listeners: WeakRef<RevocationListener>[] = []
  #revoked = false

  constructor(parts: readonly MappedMemory[]) {
    this.#parts = parts
  }

  get revoked(): boolean {
    return this.#revoked
  }

  /** Asks to be told when the memory is gone. Listeners are held weakly; those that were collected are forgotten here. */
  whenRevoked(listener: RevocationListener): void {
    this.#listeners = this.#listeners.filter((held) => held.deref() !== undefined)
    this.#listeners.push(new WeakRef(listener))
  }

  revoke(): void {
    if (this.#revoked) return
    this.#revoked = true
    // From the last to the first, and each whatever becomes of the others: first the memory goes.
    using steps = new DisposableStack()
    for (const listener of this.#listeners) steps.defer(() => listener.deref()?.revoked())
    for (const part of this.#parts) steps.defer(() => part.revoke())
  }
}
