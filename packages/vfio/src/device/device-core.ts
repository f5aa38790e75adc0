import type { Attachable, Attachment, Domain } from '@openbar/iommu'
import { type Fd, VFIO_PCI_CONFIG_REGION_INDEX } from '@openbar/linux'
import { type Binding, ConfigSpace } from '@openbar/pci'
import { DeviceEvents } from '../events/device-events.ts'
import { InterruptsCore } from '../interrupts/interrupts-core.ts'
import { LowPower } from '../power/low-power.ts'
import { type RegionInfo, readRegionInfo } from '../region/region-info.ts'
import type { ResetOwner } from '../reset/reset-owner.ts'
import { FileWindow } from '../window/file-window.ts'
import type { Revocable } from '../window/revocable.ts'
import { closeUnasked } from './close-unasked.ts'
import { ConfigGuard } from './config-guard.ts'
import { deviceClosedError, deviceGoneError, noDomainError, unreachableError } from './device-errors.ts'
import { type DeviceInfo, readDeviceInfo } from './device-info.ts'
import { notForgotten } from './forgotten-devices.ts'
import { giveBack } from './give-back.ts'
import { inTurn } from './in-turn.ts'
import { noteOpenDevice } from './open-devices.ts'

/** What there is while a device is in a domain. */
export interface Access {
  readonly attachment: Attachment
  readonly info: DeviceInfo
  readonly config: FileWindow
  /** The same, as it is laid out. */
  readonly space: ConfigSpace
  readonly guard: ConfigGuard
}

const COMMAND = 0x04
const NOTHING_ANSWERS = 0xffff
const CLASS_AND_REVISION = 0x08
const ALL_ONES = 0xffff_ffff

/**
 * A device's state: its place in a domain, the views that it has given out, its events, and the way back to its old driver.
 *
 * The domain, the kernel's events and the process's list of open devices hold it, and it holds nothing that users hold: what leads to
 * a `Device` would keep a forgotten one from being collected.
 */
export class DeviceCore implements ResetOwner {
  readonly address: string
  readonly events: DeviceEvents
  readonly interrupts: InterruptsCore
  readonly lowPower: LowPower
  readonly #binding: Binding | undefined
  readonly #views = new Set<Revocable>()
  readonly #regions = new Map<number, RegionInfo>()
  readonly #locate: () => Attachable
  readonly #addressBits: number
  #location: Attachable
  #ownDomain: Domain | undefined
  #access: Access | undefined
  #closing: Promise<void> | undefined
  /** Whether it was in a domain before. */
  #left = false
  #closed = false
  #closedBecause: string | undefined
  #leaveList: () => void = () => {}

  /**
   * @param location - The device's group and file.
   * @param locate - Finds them anew, each time that it is about to join a domain again; throws when it is not to be had.
   */
  constructor(location: Attachable, locate: () => Attachable, binding: Binding | undefined, addressBits: number) {
    this.#location = location
    this.#locate = locate
    this.#addressBits = addressBits
    this.address = location.address
    this.#binding = binding
    this.lowPower = new LowPower(this.address)
    this.events = new DeviceEvents({ address: this.address, overdue: (reason) => this.#overdue(reason) })
    const core = this
    this.interrupts = new InterruptsCore({
      address: this.address,
      get fd() {
        return core.fd
      },
      silentBecause: () => this.#silentBecause(),
      checkPresence: () => this.assertPresent(),
    })
  }

  get group(): number {
    return this.#location.group
  }

  get cdev(): string | undefined {
    return this.#location.cdev
  }

  get closed(): boolean {
    return this.#closed
  }

  get fd(): Fd<'device'> {
    return this.reach().attachment.fd
  }

  get resettable(): boolean {
    return this.reach().info.resettable
  }

  get releaseRequested(): boolean {
    return this.events.releaseRequested
  }

  /** What there is of the device while it can be touched. Throws `ERR_CLOSED`, `ERR_NO_DOMAIN`, `ERR_LOW_POWER`. */
  reach(): Access {
    const access = this.joined()
    this.lowPower.assertAwake()
    return access
  }

  /** What there is of the device, which may be asleep. Throws `ERR_CLOSED`, `ERR_NO_DOMAIN`. */
  joined(): Access {
    this.assertOpen()
    if (this.#access !== undefined) return this.#access
    throw noDomainError(this.address)
  }

  assertOpen(): void {
    if (this.#closed) throw deviceClosedError(this.address, this.#closedBecause)
  }

  /** Joins a first domain; a private one ends with the device. */
  open(domain: Domain, own: boolean): void {
    this.#join(domain)
    if (own) this.#ownDomain = domain
  }

  setDomain(domain: Domain): void {
    this.assertOpen()
    const access = this.#access
    if (access === undefined) {
      this.#join(domain)
      return
    }
    if (domain === access.attachment.domain) return
    const ownDomain = this.#ownDomain
    try {
      access.attachment.domain.moveGroup(this.group, domain)
    } finally {
      // Left, whether it has arrived elsewhere or not.
      if (this.#access?.attachment.domain !== ownDomain) {
        this.#ownDomain = undefined
        ownDomain?.close()
      }
    }
  }

  unsetDomain(): void {
    const access = this.#access
    const ownDomain = this.#ownDomain
    // A neighbour of its group may have failed to move it, and left the private domain without devices.
    if (access === undefined && ownDomain === undefined) return
    using steps = new DisposableStack()
    steps.adopt(ownDomain, (domain) => domain?.close())
    steps.defer(() => {
      this.#ownDomain = undefined
    })
    steps.defer(() => access?.attachment.detach())
    steps.use(this.#letGo())
  }

  /** What the kernel says of a region. */
  regionInfo(index: number): RegionInfo {
    const { attachment } = this.reach()
    let info = this.#regions.get(index)
    if (info === undefined) {
      info = readRegionInfo(attachment.fd, index, this.address)
      this.#regions.set(index, info)
    }
    return info
  }

  viewOpened(view: Revocable): void {
    this.#views.add(view)
  }

  viewClosed(view: Revocable): void {
    this.#views.delete(view)
  }

  /** Gets the device ready for being reset; see {@link ResetOwner}. */
  beforeReset(reason: string): () => void {
    this.lowPower.leave()
    const { config } = this.reach()
    const command = config.read16(COMMAND)
    this.quiesce(reason)
    return () => {
      // A device that did not answer before has no command register worth putting back.
      if (command !== NOTHING_ANSWERS && config.read16(COMMAND) !== command) config.write16(COMMAND, command)
      this.events.wasReset()
    }
  }

  /** Makes the device quiet: every view taken away, then interrupts off, then DMA. */
  quiesce(reason: string, stopDma = true): void {
    this.#quiet(reason, stopDma).dispose()
  }

  revokeViews(which: 'mapped' | 'all' = 'all'): void {
    using steps = new DisposableStack()
    for (const view of this.#views) {
      if (which === 'mapped' && !view.mapped) continue
      this.#views.delete(view)
      steps.defer(() => view.revoke())
    }
  }

  assertMemoryReachable(region: string): void {
    const problem = this.reach().guard.memoryProblem
    if (problem !== undefined) throw unreachableError(this.address, region, problem)
  }

  /** A message-signalled interrupt is a write to memory, which needs bus mastering (PCI Local Bus 3.0, 6.8). */
  #silentBecause(): string | undefined {
    if (this.#access === undefined || this.#access.space.command.busMasterEnable) return undefined
    return 'Bus mastering is off, so the device cannot send its message: device.config.command.busMasterEnable = true.'
  }

  assertPresent(): void {
    const access = this.#access
    if (access !== undefined && !isPresent(access)) throw deviceGoneError(this.address)
  }

  /** Looks for what the kernel has to say. Answers whether the program may go on with the device. */
  poll(): boolean {
    this.events.poll()
    return this.#access !== undefined && !this.events.releaseRequested
  }

  close(reason?: string): Promise<void> {
    if (this.#closing === undefined) this.#closedBecause = reason
    this.#closing ??= this.#closeOnce()
    return this.#closing
  }

  async #closeOnce(): Promise<void> {
    const { releaseRequested } = this.events
    try {
      this.unsetDomain()
    } finally {
      this.#closed = true
      notForgotten(this)
      this.events.end()
      const binding = this.#binding
      try {
        this.#location.given?.close()
      } finally {
        if (binding !== undefined) await inTurn(this.address, () => giveBack(binding, releaseRequested))
      }
    }
  }

  #overdue(reason: string): void {
    closeUnasked(this, 'OPENBAR_OVERDUE', `${this.address} is closed: ${reason}.`, reason)
  }

  #join(domain: Domain): void {
    // It may have been unbound since it left, and bound again with another file.
    if (this.#left) this.#location = this.#locate()
    const place: Attachable = {
      ...this.#location,
      addressBits: this.#addressBits,
      leaving: () => this.#letGo().dispose(),
      arrived: (attachment) => this.#arrive(attachment),
    }
    this.#arrive(domain.attach(place))
  }

  #arrive(attachment: Attachment): void {
    try {
      const info = readDeviceInfo(attachment.fd, this.address)
      const config = this.#openConfig(attachment.fd)
      const guard = new ConfigGuard(config, {
        beforeMemoryGoes: () => this.revokeViews('mapped'),
        // The kernel stops DMA, and puts the command register back, by itself.
        beforeReset: () => this.quiesce('the device was reset', false),
      })
      this.events.arm(attachment.fd)
      this.#leaveList = noteOpenDevice(this.address, this)
      this.#access = { attachment, info, config, space: new ConfigSpace(config), guard }
    } catch (error) {
      attachment.detach()
      throw error
    }
  }

  /** The steps to let go of the device, but for its place in the domain; taken when the stack is disposed of. */
  #letGo(): DisposableStack {
    // From the last to the first, and each whatever becomes of the others: a step left out would leave the device's DMA
    // on, or a window onto a device that is no longer ours.
    const steps = new DisposableStack()
    const access = this.#access
    if (access === undefined) return steps
    steps.defer(() => {
      this.#access = undefined
      this.#left = true
      this.#leaveList()
    })
    steps.defer(() => access.config.close())
    steps.defer(() => this.events.disarm())
    steps.use(this.#quiet(undefined, true))
    steps.defer(() => this.lowPower.leave())
    return steps
  }

  #quiet(reason: string | undefined, stopDma: boolean): DisposableStack {
    const steps = new DisposableStack()
    const access = this.#access
    if (access === undefined) return steps
    steps.defer(() => {
      // A device that is gone has no DMA to stop.
      if (stopDma && isPresent(access)) access.space.command.busMasterEnable = false
    })
    steps.defer(() => this.interrupts.disable(reason))
    steps.defer(() => this.revokeViews())
    return steps
  }

  #openConfig(fd: Fd<'device'>): FileWindow {
    const info = readRegionInfo(fd, VFIO_PCI_CONFIG_REGION_INDEX, this.address)
    // Reads of all ones are ordinary in config space, and the presence check itself reads it.
    const owner = {
      checkPresence: () => {},
      windowClosed: () => {},
      beforeWrite: (offset: number, bytes: DataView) => this.reach().guard.beforeWrite(offset, bytes),
    }
    return new FileWindow(fd, info, { address: this.address, region: 'config space' }, owner)
  }
}

function isPresent(access: Access): boolean {
  try {
    // The kernel answers vendor and device id from memory of its own; class and revision come from the device.
    return access.config.read32(CLASS_AND_REVISION) !== ALL_ONES
  } catch {
    return false
  }
}
