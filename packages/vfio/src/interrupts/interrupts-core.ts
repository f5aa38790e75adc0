import { Errno, type Fd, isOpenbarError, type OpenbarError } from '@openbar/linux'
import { kernelRefusal, refusal, tooFewFiles } from './interrupt-errors.ts'
import { type InterruptInfo, readInterruptInfo } from './interrupt-info.ts'
import { INTERRUPT_INDEX, INTERRUPT_NAME, type InterruptKind, type SignalKind } from './interrupt-kind.ts'
import { armVectors, disableVectors, NO_EVENT, triggerVectors } from './set-irqs.ts'
import { vectorControl } from './vector-control.ts'
import { VectorCore } from './vector-core.ts'
import { countArmable, countEnableable } from './vectors-to-be-had.ts'

/** The device's side of its interrupts. It must not reach what a program holds of the device. */
export interface InterruptOwner {
  readonly address: string
  /** @throws {@link OpenbarError} `ERR_NO_DOMAIN`, `ERR_CLOSED`. */
  readonly fd: Fd<'device'>
  /** Why the device can send no message-signalled interrupt; `undefined` when it can. */
  silentBecause(): string | undefined
  /** @throws {@link OpenbarError} `ERR_DEVICE_GONE`. */
  checkPresence?(): void
}

/** Interrupts that are on. A new object after each change. */
export interface InterruptState {
  readonly kind: InterruptKind
  readonly vectors: readonly VectorCore[]
  /** How many vectors there are with room for those to come; fixed where the kernel does not resize. */
  readonly room: number
}

/** What there is of a device's interrupts whoever holds the device. */
export class InterruptsCore {
  readonly #owner: InterruptOwner
  #state: InterruptState | undefined

  constructor(owner: InterruptOwner) {
    this.#owner = owner
  }

  get state(): InterruptState | undefined {
    return this.#state
  }

  info(kind: InterruptKind | SignalKind): InterruptInfo {
    return readInterruptInfo(this.#owner.fd, kind, this.#owner.address)
  }

  /** Switches `count` vectors on and keeps room for `reserve` more: all, or none. */
  enable(kind: InterruptKind, count: number, reserve: number): InterruptState {
    const { address, fd } = this.#owner
    const room = count + reserve
    const attempt = { address, kind, wanted: room, adding: false }
    const info = this.info(kind)
    if (this.#state !== undefined) {
      const on = INTERRUPT_NAME[this.#state.kind]
      throw refusal(attempt, `its ${on} interrupts are on. Switch them off first: interrupts.disable().`)
    }
    if (room > info.count) {
      throw refusal(attempt, `it has ${info.count} ${INTERRUPT_NAME[kind]} vectors, and ${room} were asked for.`)
    }
    const index = INTERRUPT_INDEX[kind]
    const vectors = this.#create(kind, 0, count, (cause) => tooFewFiles(attempt, cause))
    const events = [...vectors.map((vector) => vector.fd), ...new Array<typeof NO_EVENT>(reserve).fill(NO_EVENT)]
    const result = armVectors(fd, index, 0, events)
    if (result !== 0) {
      // Some answers tell how many there are; of the others, running out of vectors is worth finding it out.
      const toBeHad = result > 0 ? result : result === -Errno.ENOSPC ? countEnableable(fd, index, events) : undefined
      closeAll(vectors)
      this.#owner.checkPresence?.()
      throw kernelRefusal(attempt, result < 0 ? -result : undefined, toBeHad)
    }
    this.#state = { kind, vectors, room }
    return this.#state
  }

  /** Switches `count` more vectors on beside those that run: all, or none. */
  add(count: number): readonly VectorCore[] {
    const { address, fd } = this.#owner
    const state = this.#state
    const attempt = { address, kind: state?.kind ?? 'msix', wanted: count, adding: true }
    if (state === undefined) throw refusal(attempt, 'none are on. Switch the first on: interrupts.enable(kind).')
    const { kind, vectors, room } = state
    const start = vectors.length
    const name = INTERRUPT_NAME[kind]
    const info = this.info(kind)
    if (start + count > info.count) throw refusal(attempt, `it has ${info.count} in all, of which ${start} are on.`)
    if (start + count > room && !info.resizable) {
      throw refusal(
        attempt,
        `this kernel adds no ${name} vectors while others are on, and of those reserved ${room - start} are left. Reserve enough when switching on: interrupts.enable('${kind}', { vectors: ${start}, reserve: ${count} }).`,
      )
    }
    const index = INTERRUPT_INDEX[kind]
    const added = this.#create(kind, start, count, (cause) => tooFewFiles(attempt, cause))
    const events = added.map((vector) => vector.fd)
    const result = armVectors(fd, index, start, events)
    if (result !== 0) {
      const toBeHad = result === -Errno.ENOSPC ? countArmable(fd, index, start, events) : undefined
      closeAll(added)
      this.#owner.checkPresence?.()
      throw kernelRefusal(attempt, Math.abs(result), toBeHad)
    }
    this.#state = { kind, vectors: [...vectors, ...added], room: Math.max(room, start + count) }
    return added
  }

  /** Delivers several vectors as if the device had raised them. */
  trigger(numbers: readonly number[]): void {
    const state = this.#state
    const attempt = { address: this.#owner.address, kind: state?.kind ?? 'msix', wanted: numbers.length, adding: false }
    if (state === undefined) throw refusal(attempt, 'no interrupts are on.')
    const vectors = numbers.map((number) => state.vectors[number])
    if (!vectors.every((vector) => vector !== undefined)) {
      throw refusal(
        attempt,
        `vectors 0 to ${state.vectors.length - 1} are on, and ${numbers.join(', ')} were asked for.`,
      )
    }
    if (state.kind === 'intx' || vectors.length < 2) for (const vector of vectors) vector.trigger()
    else {
      const result = triggerVectors(this.#owner.fd, INTERRUPT_INDEX[state.kind], numbers)
      if (result !== 0) throw kernelRefusal(attempt, Math.abs(result), undefined)
    }
  }

  /**
   * Switches interrupts off. A device that was unplugged refuses; its vectors are closed all the same.
   *
   * @param because - What the vectors say from now on, as in `the device was reset`.
   */
  disable(because = 'interrupts were switched off'): void {
    const state = this.#state
    if (state === undefined) return
    this.#state = undefined
    using steps = new DisposableStack()
    steps.defer(() => closeAll(state.vectors, because))
    steps.defer(() => disableVectors(this.#owner.fd, INTERRUPT_INDEX[state.kind]))
  }

  #create(
    kind: InterruptKind,
    start: number,
    count: number,
    outOfFiles: (cause: OpenbarError) => OpenbarError,
  ): readonly VectorCore[] {
    const vectors: VectorCore[] = []
    try {
      for (let number = start; number < start + count; number += 1) {
        vectors.push(new VectorCore(number, vectorControl(this.#owner, kind, number)))
      }
    } catch (error) {
      closeAll(vectors)
      throw isOpenbarError(error) && error.errno === Errno.EMFILE ? outOfFiles(error) : error
    }
    return vectors
  }
}

/** Each, whatever becomes of the others. */
function closeAll(vectors: readonly VectorCore[], because = 'it could not be switched on'): void {
  using steps = new DisposableStack()
  for (const vector of vectors.toReversed()) steps.defer(() => vector.close(because))
}
