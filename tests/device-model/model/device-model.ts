import type { ErrorCode } from '@openbar/linux'
import type { DomainModel } from './domain-model.ts'
import { BUS_MASTER, IO, MEMORY, type NicFacts } from './facts.ts'
import { InterruptsModel } from './interrupts-model.ts'
import { Scratch } from './scratch.ts'
import type { ListenerModel } from './vector-model.ts'
import type { ViewModel, WindowModel } from './view-model.ts'

const CHANGING = IO | MEMORY | BUS_MASTER

/** What a device, as one object of the program's stands for it, has to be like. */
export class DeviceModel {
  readonly facts: NicFacts
  readonly interrupts: InterruptsModel
  readonly views = new Set<ViewModel>()
  readonly watchers = new Set<ListenerModel>()
  /** Its table of multicast addresses. */
  readonly scratch = new Scratch()
  domain: DomainModel | undefined
  /** Whether the domain is its private one. */
  own = false
  closed = false
  command = 0
  line = 0
  power: 'D0' | 'D3hot' = 'D0'
  lowPower: 'off' | 'silent' | 'telling' = 'off'
  #commandBelow = 0
  /** Whether memory was on as the command register was written last: the kernel goes by that, too. */
  #switchedOn = true

  constructor(facts: NicFacts) {
    this.facts = facts
    this.interrupts = new InterruptsModel(facts)
  }

  /** Why nothing can be asked of it that needs a domain. */
  get unjoined(): ErrorCode | undefined {
    if (this.closed) return 'ERR_CLOSED'
    return this.domain === undefined ? 'ERR_NO_DOMAIN' : undefined
  }

  /** Why it cannot be touched. */
  get unreachable(): ErrorCode | undefined {
    return this.unjoined ?? (this.lowPower === 'off' ? undefined : 'ERR_LOW_POWER')
  }

  /** Why its memory cannot be touched. */
  get memoryRefusal(): ErrorCode | undefined {
    return this.#switchedOn && (this.command & MEMORY) !== 0 && this.power === 'D0' ? undefined : 'ERR_REGION'
  }

  mapRefusal(index: number): ErrorCode | undefined {
    const region = this.facts.regions[index]
    const refusal = this.unreachable
    if (refusal !== undefined) return refusal
    if (region === undefined || region.size === 0) return 'ERR_REGION'
    return region.mapped ? this.memoryRefusal : undefined
  }

  /** The refusal of a read or write by a window onto it. */
  accessRefusal(window: WindowModel, offset: number, bytes: number, write: boolean): ErrorCode | undefined {
    const refusal = window.accessRefusal(offset, bytes)
    if (refusal !== undefined) return refusal
    if (write ? !window.facts.writable : !window.facts.readable) return 'ERR_REGION'
    return window.index === 6 ? this.memoryRefusal : undefined
  }

  join(domain: DomainModel): void {
    this.domain = domain
    domain.devices.add(this)
    this.command = this.facts.command
    this.#switchedOn = true
    this.line = this.facts.line
    this.power = 'D0'
    this.scratch.forgetAll()
  }

  /** Goes over to another domain; as ever, or by leaving the old one first. */
  move(to: DomainModel): void {
    const from = this.domain
    if (from === to) return
    const wasOwn = this.own
    if (from?.backend === 'iommufd' && to.backend === 'iommufd') {
      this.domain = to
      to.devices.add(this)
      from.leave(this)
    } else {
      this.#leave()
      this.join(to)
    }
    this.own = false
    if (wasOwn) from?.close()
  }

  unset(): void {
    const { domain, own } = this
    this.#leave()
    this.own = false
    if (own) domain?.close()
  }

  close(): void {
    if (this.closed) return
    this.unset()
    this.closed = true
    for (const watcher of this.watchers) watcher.ended = true
    this.watchers.clear()
  }

  revokeViews(which: 'mapped' | 'all'): void {
    for (const view of this.views) {
      if (which === 'mapped' && !view.mapped) continue
      view.closed = true
      this.views.delete(view)
    }
  }

  quiesce(): void {
    this.revokeViews('all')
    this.interrupts.disable()
    this.#wrote(this.command & ~BUS_MASTER)
  }

  writeCommand(value: number): void {
    if ((value & MEMORY) === 0) this.revokeViews('mapped')
    this.#wrote((this.command & ~CHANGING) | (value & CHANGING))
  }

  /** The control register of its power management was written. */
  writePowerState(state: 'D0' | 'D3hot'): void {
    if (state === 'D3hot') this.revokeViews('mapped')
    if (state === this.power) return
    if (state === 'D3hot') this.#commandBelow = this.command
    // On the way back the kernel puts config space back as it was.
    else this.command = this.#commandBelow
    this.power = state
    this.scratch.forgetAll()
  }

  enterPower(state: 'D0' | 'D3hot'): void {
    if (state === this.power) return
    if (state === 'D3hot') this.quiesce()
    this.writePowerState(state)
  }

  reset(): void {
    const { command } = this
    this.quiesce()
    this.#wrote(command)
    this.power = 'D0'
    this.scratch.forgetAll()
  }

  /** A function level reset was asked for in config space: the kernel keeps the command register. */
  resetByConfig(): void {
    this.revokeViews('all')
    this.interrupts.disable()
    this.scratch.forgetAll()
  }

  enterLowPower(tells: boolean): void {
    this.quiesce()
    this.lowPower = tells ? 'telling' : 'silent'
    this.scratch.forgetAll()
  }

  exitLowPower(): void {
    if (this.lowPower === 'off') return
    this.lowPower = 'off'
    // What it documents: it is in D0 then.
    if (this.power === 'D3hot') this.command = this.#commandBelow & ~BUS_MASTER
    this.power = 'D0'
  }

  #wrote(command: number): void {
    this.command = command
    this.#switchedOn = (command & MEMORY) !== 0
  }

  #leave(): void {
    this.revokeViews('all')
    this.interrupts.disable()
    this.lowPower = 'off'
    this.domain?.leave(this)
    this.domain = undefined
  }
}
