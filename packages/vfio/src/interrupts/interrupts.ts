import {
  Errno,
  type Fd,
  invalidArgument,
  OpenbarError,
  syscallError,
  tryIoctl,
  VFIO_DEVICE_GET_IRQ_INFO,
  VFIO_IRQ_INFO_MASKABLE,
  vfioIrqInfo,
} from '@openbar/linux'
import { INTERRUPT_INDEX, INTERRUPT_NAME, type InterruptKind } from './interrupt-kind.ts'
import { InterruptVector } from './interrupt-vector.ts'
import { disableVectors, enableVectors, maskVector, triggerVector, unmaskVector } from './set-irqs.ts'

/** What a device has of one kind of interrupt. */
export interface InterruptInfo {
  /** Vectors; 0 when it has none of this kind. */
  readonly count: number
  /** Whether single vectors can be masked; only INTx can. */
  readonly maskable: boolean
}

/** Interrupts that are on. */
export interface EnabledInterrupts {
  readonly kind: InterruptKind
  /** At least one, by number. */
  readonly vectors: readonly [InterruptVector, ...InterruptVector[]]
}

/** The device's side of its interrupts. */
export interface InterruptOwner {
  readonly address: string
  readonly fd: Fd<'device'>
  /** Why the device can send no message-signalled interrupt; `undefined` when it can. */
  silentBecause(): string | undefined
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
  readonly #owner: InterruptOwner
  #enabled: EnabledInterrupts | undefined

  /** @internal */
  constructor(owner: InterruptOwner) {
    this.#owner = owner
  }

  /** What is on now. */
  get enabled(): EnabledInterrupts | undefined {
    return this.#enabled
  }

  /**
   * What the device has of a kind of interrupt.
   *
   * @throws {@link OpenbarError} `ERR_NO_DOMAIN`, `ERR_CLOSED`; `ERR_INVALID_ARGUMENT` for another kind.
   *
   * @example
   * ```ts
   * device.interrupts.info('msix').count // 5 on an 82574L
   * ```
   */
  info(kind: InterruptKind): InterruptInfo {
    const index = indexOf(kind)
    const info = vfioIrqInfo.allocate()
    info.argsz = vfioIrqInfo.size
    info.index = index
    const result = tryIoctl(this.#owner.fd, VFIO_DEVICE_GET_IRQ_INFO, info)
    if (result === -Errno.EINVAL) return { count: 0, maskable: false }
    if (result < 0) throw syscallError('ioctl(VFIO_DEVICE_GET_IRQ_INFO)', -result, this.#owner.address)
    return { count: info.count, maskable: (info.flags & VFIO_IRQ_INFO_MASKABLE) !== 0 }
  }

  /**
   * Switches interrupts on.
   *
   * @param options.vectors - How many vectors, from 0; 1 by default.
   * @throws {@link OpenbarError} `ERR_INTERRUPT` when some are on already, the device has too few, or the machine has
   *   no CPU vectors left; none are on then. `ERR_NO_DOMAIN` when the device has no domain; `ERR_INVALID_ARGUMENT`.
   *
   * @example
   * ```ts
   * const { vectors } = device.interrupts.enable('intx')
   * ```
   */
  enable(kind: InterruptKind, options: { readonly vectors?: number } = {}): EnabledInterrupts {
    const index = indexOf(kind)
    const count = options.vectors ?? 1
    if (!Number.isInteger(count) || count < 1) throw invalidArgument('vectors', count, 'a positive number of vectors')
    this.#assertAvailable(kind, count)
    const vectors = this.#createVectors(kind, index, count)
    const result = enableVectors(
      this.#owner.fd,
      index,
      vectors.map(({ fd }) => fd),
    )
    if (result !== 0) {
      if (result > 0) disableVectors(this.#owner.fd, index)
      for (const vector of vectors) vector.close()
      throw this.#enableError(kind, count, result)
    }
    this.#enabled = { kind, vectors: vectors as [InterruptVector, ...InterruptVector[]] }
    return this.#enabled
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
    this.end()
  }

  /**
   * {@link Interrupts.disable}, with what happened to the device for the vectors' errors: `it was reset`.
   *
   * @internal
   */
  end(reason?: string): void {
    const enabled = this.#enabled
    if (enabled === undefined) return
    this.#enabled = undefined
    // A device that was unplugged refuses; its vectors are closed all the same.
    disableVectors(this.#owner.fd, INTERRUPT_INDEX[enabled.kind])
    for (const vector of enabled.vectors) vector.close(reason)
  }

  #createVectors(kind: InterruptKind, index: number, count: number): InterruptVector[] {
    const vectors: InterruptVector[] = []
    try {
      for (let number = 0; number < count; number += 1) {
        const what = `${this.#owner.address}, ${INTERRUPT_NAME[kind]} vector ${number}`
        const control = (verb: string, act: (fd: Fd<'device'>, index: number, vector: number) => number) => () => {
          const result = act(this.#owner.fd, index, number)
          if (result < 0) throw controlError(what, verb, -result)
        }
        vectors.push(
          new InterruptVector(number, {
            what,
            mask: control('mask', maskVector),
            unmask: control('unmask', unmaskVector),
            trigger: control('trigger', triggerVector),
            silentBecause: () => (kind === 'intx' ? undefined : this.#owner.silentBecause()),
          }),
        )
      }
    } catch (error) {
      for (const vector of vectors) vector.close()
      throw error
    }
    return vectors
  }

  #assertAvailable(kind: InterruptKind, wanted: number): void {
    const { address } = this.#owner
    const { count } = this.info(kind)
    const problem =
      this.#enabled !== undefined
        ? `its ${INTERRUPT_NAME[this.#enabled.kind]} interrupts are on. Switch them off first: interrupts.disable().`
        : count < wanted
          ? `it has ${count} ${INTERRUPT_NAME[kind]} vectors, and ${wanted} were asked for.`
          : undefined
    if (problem === undefined) return
    throw new OpenbarError('ERR_INTERRUPT', {
      message: `${INTERRUPT_NAME[kind]} cannot be switched on for ${address}: ${problem}`,
      context: { address, kind },
    })
  }

  #enableError(kind: InterruptKind, wanted: number, result: number): OpenbarError {
    const { address } = this.#owner
    const outOfVectors = result > 0 || result === -Errno.ENOSPC
    return new OpenbarError('ERR_INTERRUPT', {
      message: `${INTERRUPT_NAME[kind]} cannot be switched on for ${address} with ${wanted} vectors${result > 0 ? `: only ${result} are to be had` : ''}.`,
      hint: outOfVectors
        ? 'The CPUs have no more interrupt vectors to give: ask for fewer, or use a machine with more CPUs.'
        : kind === 'intx'
          ? 'Another device on the same interrupt line may be in the way: try MSI or MSI-X.'
          : undefined,
      context: { address, kind },
      ...(result < 0 ? { errno: -result, syscall: 'ioctl(VFIO_DEVICE_SET_IRQS)' } : {}),
    })
  }
}

function indexOf(kind: InterruptKind): number {
  const index: number | undefined = INTERRUPT_INDEX[kind]
  if (index === undefined) throw invalidArgument('kind', kind, "'intx', 'msi' or 'msix'")
  return index
}

function controlError(what: string, verb: string, errno: number): OpenbarError {
  if (errno === Errno.ENOTTY || errno === Errno.EINVAL) {
    return new OpenbarError('ERR_NOT_SUPPORTED', {
      message: `${what} cannot be ${verb}ed: the kernel does that for INTx only.`,
      context: { what: `${verb} of ${what}` },
      errno,
      syscall: 'ioctl(VFIO_DEVICE_SET_IRQS)',
    })
  }
  return syscallError(`ioctl(VFIO_DEVICE_SET_IRQS, ${verb})`, errno, what)
}
