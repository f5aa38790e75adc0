import type { PciAddress } from '../address/pci-address.ts'
import type { BindingContext } from './binding-context.ts'
import { bindingError } from './binding-error.ts'
import { type BindingState, readState } from './binding-state.ts'
import { changeOrRollBack } from './change-or-roll-back.ts'

/**
 * A change of a function's driver, which can be undone: what `bindDriver` and `unbindDriver` return.
 *
 * Nothing is undone unless asked for, by `restore()` or by `await using`: the driver stays bound when the program ends.
 *
 * @example
 * ```ts
 * await using binding = await bindDriver('0000:03:00.0', 'vfio-pci')
 * console.log(binding.previousDriver) // 'e1000e', which gets the device back at the end of the block
 * ```
 */
export class Binding implements AsyncDisposable {
  readonly address: PciAddress
  /** The driver that the function is bound to by this; `undefined` after `unbindDriver`. */
  readonly driver: string | undefined
  /** The driver that it was bound to before. */
  readonly previousDriver: string | undefined
  /** What `driver_override` was before. */
  readonly previousOverride: string | undefined
  readonly #context: BindingContext
  readonly #before: BindingState
  #restoring: Promise<void> | undefined

  /** @internal */
  constructor(context: BindingContext, before: BindingState, driver: string | undefined) {
    this.address = context.address
    this.driver = driver
    this.previousDriver = before.driver
    this.previousOverride = before.override
    // Giving back is cleaning up: the signal that ended the work must not end this as well.
    this.#context = { ...context, signal: undefined }
    this.#before = before
  }

  /**
   * Gives the function back to its old driver and `driver_override`; does nothing when it never changed, or was given
   * back already.
   *
   * A VFIO driver lets go only when the device is closed: close it first.
   *
   * @throws `ERR_DRIVER_BINDING` when a step fails, or when somebody else has bound the function to a third driver;
   * `ERR_TIMEOUT` when the kernel does not answer. It can then be called again.
   */
  async restore(): Promise<void> {
    this.#restoring ??= this.#restore().catch((error: unknown) => {
      this.#restoring = undefined
      throw error
    })
    await this.#restoring
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.restore()
  }

  async #restore(): Promise<void> {
    if (this.driver === this.previousDriver) return
    const now = await readState(this.#context)
    const expected = [this.driver, this.previousDriver, undefined]
    if (!expected.includes(now.driver)) {
      throw bindingError(this.#context, {
        step: 'restore',
        driver: now.driver,
        what: `somebody else has bound the device to ${now.driver} since.`,
        hint: 'It was left as it is.',
      })
    }
    await changeOrRollBack(this.#context, now, this.#before)
  }
}
