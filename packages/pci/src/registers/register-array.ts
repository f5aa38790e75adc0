import { invalidArgument } from '@openbar/linux/errors'

/**
 * An array of bound registers. Its elements are made once, when bound.
 *
 * @example
 * ```ts
 * regs.MTA.at(5).write(0)
 * for (const register of regs.MTA) register.write(0)
 * ```
 */
export class RegisterArray<R> implements Iterable<R> {
  readonly length: number
  readonly #name: string
  readonly #elements: readonly R[]

  constructor(name: string, elements: readonly R[]) {
    this.#name = name
    this.#elements = elements
    this.length = elements.length
  }

  /** @throws `ERR_INVALID_ARGUMENT` when there is no such element; negative indices count from nowhere. */
  at(index: number): R {
    const element = this.#elements[index]
    if (element === undefined) throw invalidArgument(`${this.#name}'s index`, index, `from 0 to ${this.length - 1}`)
    return element
  }

  [Symbol.iterator](): Iterator<R> {
    return this.#elements[Symbol.iterator]()
  }
}
