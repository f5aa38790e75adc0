import type { ErrorCode } from '@openbar/linux'
import type { InterruptKind } from '@openbar/vfio'
import type { NicFacts } from './facts.ts'
import { VectorModel } from './vector-model.ts'

/** What a device's interrupts have to be like. */
export class InterruptsModel {
  readonly #facts: NicFacts
  kind: InterruptKind | undefined
  vectors: VectorModel[] = []
  #room = 0

  constructor(facts: NicFacts) {
    this.#facts = facts
  }

  /** The refusal of switching on, on a device that can be reached. */
  enableRefusal(kind: InterruptKind, count: number, reserve: number, inD0: boolean): ErrorCode | undefined {
    if (this.kind !== undefined || count + reserve > this.#facts.vectors[kind]) return 'ERR_INTERRUPT'
    // The kernel sets up messages in D0 only.
    return inD0 || kind === 'intx' ? undefined : 'ERR_INTERRUPT'
  }

  enable(kind: InterruptKind, count: number, reserve: number): readonly VectorModel[] {
    this.kind = kind
    this.#room = count + reserve
    return this.#append(kind, count)
  }

  addRefusal(count: number): ErrorCode | undefined {
    const { kind } = this
    if (kind === undefined) return 'ERR_INTERRUPT'
    const wanted = this.vectors.length + count
    if (wanted > this.#facts.vectors[kind]) return 'ERR_INTERRUPT'
    const grows = kind === 'msix' && this.#facts.resizable
    return wanted > this.#room && !grows ? 'ERR_INTERRUPT' : undefined
  }

  add(count: number): readonly VectorModel[] {
    return this.#append(this.kind!, count)
  }

  triggerRefusal(numbers: readonly number[]): ErrorCode | undefined {
    if (this.kind === undefined) return 'ERR_INTERRUPT'
    return numbers.every((number) => number < this.vectors.length) ? undefined : 'ERR_INTERRUPT'
  }

  trigger(numbers: readonly number[]): void {
    for (const number of new Set(numbers)) this.vectors[number]!.raise()
  }

  disable(): void {
    for (const vector of this.vectors) vector.close()
    this.vectors = []
    this.kind = undefined
  }

  #append(kind: InterruptKind, count: number): readonly VectorModel[] {
    const start = this.vectors.length
    const added = Array.from({ length: count }, (_, index) => new VectorModel(kind, start + index))
    this.vectors = [...this.vectors, ...added]
    this.#room = Math.max(this.#room, this.vectors.length)
    return added
  }
}
