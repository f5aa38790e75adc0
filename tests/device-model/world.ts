import { type BackendName, Domain } from '@openbar/iommu'
import { type ErrorCode, isOpenbarError } from '@openbar/linux'
import { assertSame, Deviation } from './deviation.ts'
import type { Dice } from './dice.ts'
import type * as Held from './handles.ts'
import { DomainModel } from './model/domain-model.ts'
import type { NicFacts } from './model/facts.ts'

/** How many of a kind the program holds, live ones and others. */
const HELD = 12

/** All that the program holds of the package, and what the model says of each. */
export class World {
  readonly backend: BackendName
  readonly dice: Dice
  readonly nics: readonly [NicFacts, ...NicFacts[]]
  readonly domains: Held.DomainHandle[] = []
  readonly devices: Held.DeviceHandle[] = []
  readonly regions: Held.RegionHandle[] = []
  readonly windows: Held.WindowHandle[] = []
  readonly arrays: Held.ArraysHandle[] = []
  readonly stolen: Held.StolenHandle[] = []
  readonly registers: Held.RegistersHandle[] = []
  readonly events: Held.EventHandle[] = []
  readonly vectors: Held.VectorHandle[] = []
  readonly listeners: Held.ListenerHandle[] = []
  readonly buffers: Held.BufferHandle[] = []
  readonly mappings: Held.MappingHandle[] = []
  /** What was called last, for whoever looks into a deviation. */
  readonly log: string[] = []
  /** How much of it there was. */
  calls = 0
  /** Counts calls by outcome. */
  readonly outcomes = new Map<string, number>()

  readonly #record: (line: string) => void

  /** @param record - Told of each call before it is made: a crash leaves no other word. */
  constructor(
    backend: BackendName,
    nics: readonly [NicFacts, ...NicFacts[]],
    dice: Dice,
    record: (line: string) => void,
  ) {
    this.#record = record
    this.backend = backend
    this.nics = nics
    this.dice = dice
  }

  /** Makes a call that the model has a prediction for: it is refused with that code, or not at all. */
  async call<Result>(
    what: string,
    refusal: ErrorCode | undefined,
    call: () => Result | Promise<Result>,
  ): Promise<{ readonly value: Result } | undefined> {
    this.note(`${what} → ${refusal ?? 'done'}`)
    let value: Result
    try {
      value = await call()
    } catch (error) {
      if (!isOpenbarError(error)) throw error
      if (error.code === refusal) return undefined
      throw new Deviation(`${what} throws ${error.code}, where the model has ${refusal ?? 'no error'}`, {
        cause: error,
      })
    }
    if (refusal === undefined) return { value }
    throw new Deviation(`${what} is done, where the model has ${refusal}`)
  }

  note(line: string): void {
    this.calls += 1
    this.log.push(line)
    this.#record(line)
    if (this.log.length > 20) this.log.shift()
    const outcome = line.slice(line.lastIndexOf(' ') + 1)
    this.outcomes.set(outcome, (this.outcomes.get(outcome) ?? 0) + 1)
  }

  same(what: string, actual: unknown, due: unknown): void {
    assertSame(what, actual, due)
  }

  /** Adds to what is held, and lets go of the oldest that may go. */
  keep<Handle>(list: Handle[], handle: Handle, mayGo: (handle: Handle) => boolean = () => true): Handle {
    list.push(handle)
    const index = list.length > HELD ? list.findIndex(mayGo) : -1
    if (index >= 0) list.splice(index, 1)
    return handle
  }

  /** The two domains that the test is about: the newest of the open ones, opened where there are fewer. */
  async openDomain(): Promise<Held.DomainHandle> {
    const real = await Domain.open({ backend: this.backend })
    const handle = { real, model: new DomainModel(this.backend) }
    return this.keep(this.domains, handle, ({ model }) => model.state === 'closed')
  }

  /** The model of a device's domain, as a handle, where it is one of those that are held. */
  domainOf(model: DomainModel): Held.DomainHandle | undefined {
    return this.domains.find((handle) => handle.model === model)
  }
}
