import type { Attachable, Attachment, Domain } from '@openbar/iommu'
import {
  type Fd,
  OpenbarError,
  syscallError,
  tryIoctl,
  VFIO_DEVICE_RESET,
  VFIO_PCI_CONFIG_REGION_INDEX,
} from '@openbar/linux'
import { type Binding, ConfigSpace } from '@openbar/pci'
import { DeviceEvents } from '../events/device-events.ts'
import { Interrupts } from '../interrupts/interrupts.ts'
import { type RegionInfo, readRegionInfo } from '../region/region-info.ts'
import { FileWindow } from '../window/file-window.ts'
import type { Revocable } from '../window/revocable.ts'
import { ConfigGuard } from './config-guard.ts'
import { deviceClosedError, deviceGoneError, noDomainError, unreachableError } from './device-errors.ts'
import { type DeviceInfo, readDeviceInfo } from './device-info.ts'
import { notForgotten } from './forgotten-devices.ts'
import { giveBack } from './give-back.ts'
import { inTurn } from './in-turn.ts'
import { registerDevice, unregisterDevice } from './open-devices.ts'

/** What there is while a device is in a domain. */
export interface Access {
  readonly attachment: Attachment
  readonly info: DeviceInfo
  readonly config: FileWindow
  /** The same, as it is laid out. */
  readonly space: ConfigSpace
  readonly guard: ConfigGuard
}

const CLASS_AND_REVISION = 0x08
const ALL_ONES = 0xffff_ffff

/**
 * A device's state: its place in a domain, the views that it has given out, its events, and the way back to its old driver.
 *
 * The domain, the kernel's events and the process's list of open devices hold it, and it holds nothing that users hold: what leads to
 * a `Device` would keep a forgotten one from being collected.
 */
export class DeviceCore {
  readonly address: string
  readonly events: DeviceEvents
  readonly interrupts: Interrupts
  readonly #binding: Binding | undefined
  readonly #views = new Set<Revocable>()
  readonly #regions = new Map<number, RegionInfo>()
  readonly #locate: () => Attachable
  readonly #addressBits: number
  #location: Attachable
  #ownDomain: Domain | undefined
  #access: Access | undefined
  #closing: Promise<void> | undefined
  #closed = false
  #closedBecause: string | undefined

  /** @param locate - Finds the device's group and file, each time that it is about to join a domain; throws when it is not to be had. */
  constructor(locate: () => Attachable, binding: Binding | undefined, addressBits: number) {
    this.#locate = locate
    this.#location = locate()
    this.#addressBits = addressBits
    this.address = this.#location.address
    this.#binding = binding
    this.events = new DeviceEvents({ address: this.address, overdue: (reason) => this.#overdue(reason) })
    const core = this
    this.interrupts = new Interrupts({
      address: this.address,
      get fd() {
        return core.fd
      },
      silentBecause: () => this.silentBecause(),
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

  /** Whether the device is in a domain. */
  get reachable(): boolean {
    return this.#access !== undefined
  }

  get fd(): Fd<'device'> {
    return this.reach().attachment.fd
  }

  /** What there is of the device. Throws `ERR_CLOSED`, `ERR_NO_DOMAIN`. */
  reach(): Access {
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
    registerDevice(this)
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

  reset(): void {
    const { info, attachment } = this.reach()
    if (!info.resettable) {
      throw new OpenbarError('ERR_NOT_SUPPORTED', {
        message: `${this.address} cannot be reset: the kernel knows no way for this function alone.`,
        hint: "Use the device's own reset bit, or reset the bus that it is on.",
        context: { what: 'function reset' },
      })
    }
    this.beforeReset()
    const result = tryIoctl(attachment.fd, VFIO_DEVICE_RESET)
    if (result < 0) throw syscallError('ioctl(VFIO_DEVICE_RESET)', -result, this.address)
    this.events.wasReset()
  }

  /** Takes every window away and switches interrupts off: the function, or all of its bus, is about to be reset. */
  beforeReset(): void {
    using steps = new DisposableStack()
    steps.defer(() => this.interrupts.disable())
    steps.defer(() => this.revokeViews())
  }

  revokeViews(which: 'mapped' | 'all' = 'all'): void {
    using steps = new DisposableStack()
    for (const view of this.#views) {
      if (which === 'all' || view.mapped) steps.defer(() => view.revoke())
    }
  }

  assertMemoryReachable(region: string): void {
    const problem = this.reach().guard.memoryProblem
    if (problem !== undefined) throw unreachableError(this.address, region, problem)
  }

  /** A message-signalled interrupt is a write to memory, which needs bus mastering (PCI Local Bus 3.0, 6.8). */
  silentBecause(): string | undefined {
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
      unregisterDevice(this)
      notForgotten(this)
      this.events.end()
      this.#location.given?.close()
      const binding = this.#binding
      if (binding !== undefined) await inTurn(this.address, () => giveBack(binding, releaseRequested))
    }
  }

  #overdue(reason: string): void {
    process.emitWarning(`${this.address} is closed: ${reason}.`, { type: 'OpenbarWarning', code: 'OPENBAR_OVERDUE' })
    this.close(reason).catch((error: unknown) => {
      process.emitWarning(`${this.address} could not be given back: ${error}`, {
        type: 'OpenbarWarning',
        code: 'OPENBAR_OVERDUE',
      })
    })
  }

  #join(domain: Domain): void {
    // It may have been unbound since, and bound again with another file.
    this.#location = this.#locate()
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
        beforeReset: () => this.beforeReset(),
      })
      this.events.arm(attachment.fd)
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
    })
    steps.defer(() => access.config.close())
    steps.defer(() => this.events.disarm())
    steps.defer(() => {
      // A device that is gone has no DMA to stop.
      if (isPresent(access)) access.space.command.busMasterEnable = false
    })
    steps.defer(() => this.interrupts.disable())
    steps.defer(() => this.revokeViews())
    return steps
  }

  #openConfig(fd: Fd<'device'>): FileWindow {
    const { fileOffset, size } = readRegionInfo(fd, VFIO_PCI_CONFIG_REGION_INDEX, this.address)
    // Reads of all ones are ordinary in config space, and the presence check itself reads it.
    const owner = {
      checkPresence: () => {},
      windowClosed: () => {},
      beforeWrite: (offset: number, bytes: DataView) => this.reach().guard.beforeWrite(offset, bytes),
    }
    return new FileWindow(fd, fileOffset, size, `${this.address}, config space`, owner)
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
