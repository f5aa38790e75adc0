import { invalidArgument } from '@openbar/linux'
import type { InterruptInfo } from './interrupt-info.ts'
import { assertInterruptKind, type InterruptKind, type SignalKind } from './interrupt-kind.ts'
import { InterruptVector } from './interrupt-vector.ts'
import type { InterruptState, InterruptsCore } from './interrupts-core.ts'
import type { VectorCore } from './vector-core.ts'

/** How many vectors to switch on. */
export interface EnableInterruptsOptions {
  /** Vectors from 0; 1 by default. */
  readonly vectors?: number
  /**
   * Room for vectors that {@link Interrupts.add} may bring later where the kernel does not resize; 0 by default. It takes no file
   * descriptor, and on x86 no vector of a CPU either: adding can still be refused when the CPUs have none left.
   */
  readonly reserve?: number
}

/** Interrupts that are on. */
export interface EnabledInterrupts {
  /** How the device interrupts. */
  readonly kind: InterruptKind
  /** At least one, by number. */
  readonly vectors: readonly [InterruptVector, ...InterruptVector[]]
}

/**
 * A device's interrupts. None are on until the caller says so, and one kind at a time.
 *
 * @see linux/vfio.h, `struct vfio_irq_info`, `struct vfio_irq_set`; PCI Local Bus 3.0, 6.8 (MSI and MSI-X)
 *
 * @example
 * ```ts
 * const { vectors } = device.interrupts.enable('msix', { vectors: 2 })
 * await vectors[0].wait({ timeout: 1000 })
 * device.interrupts.disable()
 * ```
 */
export class Interrupts {
  readonly #core: InterruptsCore
  readonly #keeper: object
  readonly #vectors = new WeakMap<VectorCore, InterruptVector>()
  #seen: { readonly state: InterruptState; readonly enabled: EnabledInterrupts } | undefined

  /** @internal */
  constructor(core: InterruptsCore, keeper: object) {
    this.#core = core
    this.#keeper = keeper
  }

  /** What is on now. */
  get enabled(): EnabledInterrupts | undefined {
    const { state } = this.#core
    if (state === undefined) return undefined
    if (this.#seen?.state !== state) {
      const [first, ...others] = this.#facades(state.vectors)
      this.#seen = { state, enabled: { kind: state.kind, vectors: [first!, ...others] } }
    }
    return this.#seen.enabled
  }

  /**
   * What the device has of a kind of interrupt, or of the kernel's own events for it: `err`, an uncorrectable error of a PCI
   * Express device, and `req`, by which it asks for the device back.
   *
   * @throws {@link OpenbarError} `ERR_NO_DOMAIN`, `ERR_CLOSED`; `ERR_INVALID_ARGUMENT` for another kind.
   *
   * @example
   * ```ts
   * device.interrupts.info('msix').count // 5 on an 82574L
   * ```
   */
  info(kind: InterruptKind | SignalKind): InterruptInfo {
    return this.#core.info(kind)
  }

  /**
   * Switches interrupts on: all that were asked for, or none.
   *
   * @throws {@link OpenbarError} `ERR_INTERRUPT` when some are on already, the device has too few, the process may not open a
   *   file descriptor for each, or the CPUs have too few vectors left, with how many could be had. `ERR_NO_DOMAIN` when the
   *   device has no domain; `ERR_DEVICE_GONE`; `ERR_INVALID_ARGUMENT`.
   *
   * @example
   * ```ts
   * const { vectors } = device.interrupts.enable('msix', { vectors: 2, reserve: 6 })
   * ```
   */
  enable(kind: InterruptKind, options: EnableInterruptsOptions = {}): EnabledInterrupts {
    const { vectors = 1, reserve = 0 } = options
    assertInterruptKind(kind)
    assertCount('vectors', vectors, 1)
    assertCount('reserve', reserve, 0)
    this.#core.enable(kind, vectors, reserve)
    return this.enabled!
  }

  /**
   * Switches further vectors on beside those that run, which lose nothing by it. They are numbered on from the last.
   *
   * They come out of those reserved first. More than that can be had where {@link InterruptInfo.resizable} says so: of MSI-X, on
   * newer kernels (6.12 does, 6.1 does not).
   *
   * @returns The new ones.
   * @throws {@link OpenbarError} `ERR_INTERRUPT` when no interrupts are on, too few were reserved and the kernel does not resize,
   *   and as in {@link Interrupts.enable}. Those that run go on. `ERR_INVALID_ARGUMENT`.
   *
   * @example
   * ```ts
   * device.interrupts.enable('msix', { vectors: 1, reserve: 4 })
   * const [receive, transmit] = device.interrupts.add(2) // vectors 1 and 2
   * ```
   */
  add(count: number): readonly InterruptVector[] {
    assertCount('count', count, 1)
    return this.#facades(this.#core.add(count))
  }

  /**
   * Delivers vectors as if the device had raised them, all at once, for tests. Parked ones lose it.
   *
   * @param numbers - The vectors' numbers.
   * @throws {@link OpenbarError} `ERR_INTERRUPT` when one of them is not on; `ERR_INVALID_ARGUMENT`.
   *
   * @example
   * ```ts
   * device.interrupts.trigger([0, 2])
   * ```
   */
  trigger(numbers: readonly number[]): void {
    for (const number of numbers) assertCount('numbers', number, 0)
    this.#core.trigger(numbers)
  }

  /**
   * Switches interrupts off; waits on vectors end. Does nothing when none are on.
   *
   * @example
   * ```ts
   * device.interrupts.disable()
   * ```
   */
  disable(): void {
    this.#core.disable()
  }

  /** The same object for the same vector, as long as somebody holds it. */
  #facades(cores: readonly VectorCore[]): InterruptVector[] {
    return cores.map((core) => {
      const known = this.#vectors.get(core)
      if (known !== undefined) return known
      const vector = new InterruptVector(core, this.#keeper)
      this.#vectors.set(core, vector)
      return vector
    })
  }
}

function assertCount(argument: string, count: number, least: number): void {
  if (Number.isSafeInteger(count) && count >= least) return
  throw invalidArgument(argument, count, least === 0 ? 'whole numbers from 0' : 'a positive number of vectors')
}
