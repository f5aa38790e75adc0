import type { ErrorCode } from '@openbar/linux'
import type { InterruptKind } from '@openbar/vfio'

/** Who listens to a vector, and what it has been told. */
export interface ListenerModel {
  told: number
  ended: boolean
}

/** What a vector has to be like. */
export class VectorModel {
  readonly number: number
  readonly kind: InterruptKind
  readonly listeners = new Set<ListenerModel>()
  /** Interrupts that nobody was told of. */
  unheard = 0
  masked = false
  parked = false
  closed = false

  constructor(kind: InterruptKind, number: number) {
    this.kind = kind
    this.number = number
  }

  get refusal(): ErrorCode | undefined {
    return this.closed ? 'ERR_CLOSED' : undefined
  }

  /** The refusal of what INTx alone can do, or all but INTx. */
  refusalUnless(intx: boolean): ErrorCode | undefined {
    if (this.closed) return 'ERR_CLOSED'
    return (this.kind === 'intx') === intx ? undefined : 'ERR_NOT_SUPPORTED'
  }

  raise(): void {
    if (this.parked) return
    this.unheard += 1
    this.deliver()
  }

  listen(listener: ListenerModel): void {
    this.listeners.add(listener)
    this.deliver()
  }

  deliver(): void {
    if (this.listeners.size === 0) return
    for (const listener of this.listeners) listener.told += this.unheard
    this.unheard = 0
  }

  take(): number {
    const { unheard } = this
    this.unheard = 0
    return unheard
  }

  close(): void {
    this.closed = true
    for (const listener of this.listeners) listener.ended = true
    this.listeners.clear()
  }
}
