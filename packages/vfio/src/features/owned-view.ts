import type { Revocable } from '../window/revocable.ts'
import type { FeatureOwner } from './feature-owner.ts'

/** The core's half of an {@link OwnedView}. */
export interface OwnedHalf extends Revocable {
  readonly closed: boolean
}

/** What a user holds of something that goes with the device: closed by the user, or taken away. */
export abstract class OwnedView<Half extends OwnedHalf> {
  /** The device lives as long as this does. */
  readonly keeper: object
  readonly #owner: FeatureOwner
  protected readonly half: Half

  /** @internal */
  constructor(owner: FeatureOwner, half: Half) {
    this.keeper = owner.keeper
    this.#owner = owner
    this.half = half
    owner.windowOpened(half)
  }

  /** Whether it was closed or taken away. */
  get closed(): boolean {
    return this.half.closed
  }

  /** Closes it; those who got it elsewhere keep what they have. Further calls do nothing. */
  close(): void {
    if (this.closed) return
    try {
      this.half.revoke()
    } finally {
      this.#owner.windowClosed(this.half)
    }
  }

  [Symbol.dispose](): void {
    this.close()
  }
}
