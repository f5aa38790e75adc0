import { type Attachable, type BackendName, Domain } from '@openbar/iommu'
import { MessageSocket, OpenbarError, readText, type SocketWaitOptions } from '@openbar/linux'
import { type Binding, PciAddress, type PciAddressLike } from '@openbar/pci'
import { Device } from '../device/device.ts'
import { giveBackAfter, takeDevice } from '../device/device-binding.ts'
import { giveBack } from '../device/give-back.ts'
import { inTurn } from '../device/in-turn.ts'
import { locateDevice } from '../device/locate-device.ts'
import { formatDescription } from './description.ts'
import { type DriverProcess, type StartOptions, startDriver } from './driver-process.ts'
import { Lease } from './lease.ts'
import { assertUser } from './receive.ts'
import { Tenancy, type Tenant } from './tenant.ts'

/** How to open a launcher. */
export interface LauncherOptions {
  /** Takes the device from its driver and binds it to vfio-pci; closing the launcher gives it back. `false` by default. */
  readonly bind?: boolean
  /** What the drivers' domains stand on. `auto`, the default: iommufd where the kernel has it, else type1. */
  readonly backend?: Exclude<BackendName, 'unsafe-noiommu'> | 'auto'
  /** How many bits of an address the device drives; 64 by default. */
  readonly addressBits?: number
  /** As `DeviceOptions.vfToken`. */
  readonly vfToken?: string
}

/** How to hand a device to a running program. */
export interface GiveOptions extends SocketWaitOptions {
  /** The user that the program has to run as. Not asked when left out. */
  readonly user?: number
}

/**
 * Opens a device with privileges, and hands it to programs without: one that it starts, or one that runs already. The program gets the
 * device's open file and an address space of its own, and needs no access to /dev/vfio, /dev/iommu or sysfs.
 *
 * One program has the device at a time. When it closes the device or ends, in whatever way, the launcher stops the device, resets it and
 * destroys the address space: the next program starts with an empty one.
 *
 * @example
 * ```ts
 * await using launcher = await DeviceLauncher.open('0000:00:02.0', { bind: true })
 * for (;;) {
 *   const driver = await launcher.start({ command: [process.execPath, 'driver.ts'], user: 'nobody', memlock: 64 * 2 ** 20 })
 *   const { code } = await driver.exited
 *   await driver.released
 *   if (code === 0) break
 * }
 * ```
 */
export class DeviceLauncher {
  /** PCI address, such as `0000:00:02.0`. */
  readonly address: string
  /** Number of the IOMMU group. */
  readonly group: number
  readonly #location: Attachable
  readonly #binding: Binding | undefined
  readonly #backend: Exclude<BackendName, 'unsafe-noiommu'> | 'auto'
  #own: { readonly device: Device; readonly domain: Domain } | undefined
  /** Whoever has the device, or is about to. */
  #tenant: { readonly pid: number | undefined; readonly end: () => Promise<void> } | undefined
  #closing: Promise<void> | undefined

  private constructor(
    location: Attachable,
    binding: Binding | undefined,
    backend: Exclude<BackendName, 'unsafe-noiommu'> | 'auto',
  ) {
    this.address = location.address
    this.group = location.group
    this.#location = location
    this.#binding = binding
    this.#backend = backend
  }

  /**
   * Makes a device ready to be handed over.
   *
   * @throws {@link OpenbarError} `ERR_NO_DEVICE`, `ERR_NOT_BOUND`, `ERR_NO_IOMMU`, `ERR_DRIVER_BINDING`, as `Device.open`; what only
   *   opening shows is thrown by {@link DeviceLauncher.start}.
   *
   * @example
   * ```ts
   * await using launcher = await DeviceLauncher.open('0000:00:02.0', { bind: true })
   * ```
   */
  static async open(address: PciAddressLike, options: LauncherOptions = {}): Promise<DeviceLauncher> {
    const name = PciAddress.from(address).toString()
    const { bind = false, backend = 'auto', addressBits = 64, vfToken } = options
    return inTurn(name, async () => {
      const binding = bind ? await takeDevice(name, false) : undefined
      try {
        return new DeviceLauncher({ ...locateDevice(name), addressBits, vfToken }, binding, backend)
      } catch (error) {
        if (binding === undefined) throw error
        return await giveBackAfter(error, binding)
      }
    })
  }

  /** Whether the launcher was closed. */
  get closed(): boolean {
    return this.#closing !== undefined
  }

  /**
   * The device for the launcher itself, in a domain of its own: to look at it, or to prepare it. It is closed when the device is handed
   * to a program.
   *
   * @throws {@link OpenbarError} `ERR_DEVICE_BUSY` naming the program that has it; `ERR_CLOSED`; and what `Device.open` throws.
   *
   * @example
   * ```ts
   * const device = await launcher.device()
   * console.log(device.config.vendorId)
   * ```
   */
  async device(): Promise<Device> {
    this.#assertFree()
    if (this.#own !== undefined && !this.#own.device.closed) return this.#own.device
    const { addressBits = 64, vfToken } = this.#location
    const domain = await Domain.open({ backend: this.#backend })
    try {
      const options = { domain, addressBits, ...(vfToken === undefined ? {} : { vfToken }) }
      const device = await Device.open(this.address, options)
      this.#own = { device, domain }
      return device
    } catch (error) {
      domain.close()
      throw error
    }
  }

  /**
   * Starts a program that drives the device: as another user, without capabilities, with a limit on the memory that it pins.
   *
   * Its files are hidden from its own programs, and the group's is never among them. The mount namespace in which /sys, /dev/vfio and
   * /dev/iommu are hidden needs CAP_SYS_ADMIN here; see {@link StartOptions}.
   *
   * @throws {@link OpenbarError} `ERR_DEVICE_BUSY` while another program has it; `ERR_GROUP_BUSY`, `ERR_GROUP_NOT_VIABLE`,
   *   `ERR_PERMISSION`, `ERR_NO_BACKEND`; `ERR_INVALID_ARGUMENT` for a user that is root or unknown; `ERR_NOT_SUPPORTED` without
   *   util-linux; `ERR_CLOSED`. The program was not started then.
   *
   * @example
   * ```ts
   * const driver = await launcher.start({ command: [process.execPath, 'driver.ts'], user: 'nobody', memlock: 64 * 2 ** 20 })
   * await driver.adopted
   * ```
   */
  async start(options: StartOptions): Promise<DriverProcess> {
    return this.#lend(async (lease, onReleased) => {
      const driver = await startDriver(lease, options, onReleased)
      return [driver, () => driver.stop()]
    })
  }

  /**
   * Hands the device to a running program, which calls `Device.receive`.
   *
   * @param target - The path of the Unix socket that it listens at, or a connection to it, which stays the caller's.
   * @throws {@link OpenbarError} `ERR_PERMISSION` when it runs as another user than it has to; `ERR_TIMEOUT` when it does not take the
   *   device over in time; `ERR_CLOSED` when it cannot; and as {@link DeviceLauncher.start}. The device is back then.
   *
   * @example
   * ```ts
   * const tenant = await launcher.give('/run/driver.sock', { user: 65534, timeout: 5000 })
   * await tenant.released
   * ```
   */
  async give(target: string | MessageSocket, options: GiveOptions): Promise<Tenant> {
    this.#assertFree()
    using socket = typeof target === 'string' ? await MessageSocket.connect(target, options) : undefined
    const connection = socket ?? (target as MessageSocket)
    const { peer } = connection
    if (options.user !== undefined) assertUser(peer, options.user)
    return await this.#lend(async (lease, onReleased) => {
      const [near, far] = MessageSocket.pair()
      using sent = new DisposableStack()
      sent.use(near)
      using _far = far
      const { device, space } = lease.files
      const text = new TextEncoder().encode(formatDescription(lease.description))
      await connection.send(text, { ...options, fds: [device, space, far.fd] })
      sent.move()
      const tenancy = new Tenancy(peer.pid, lease, near, onReleased)
      const end = () => {
        tenancy.pull()
        return tenancy.released
      }
      return [tenancy, end]
    }, options)
  }

  /**
   * Ends the program that has the device, takes the device back and gives it to its old driver. A program that was not started by the
   * launcher is not ended: the device is taken from it. Further calls do nothing.
   *
   * @throws {@link OpenbarError} `ERR_DRIVER_BINDING` when the old driver does not take it back; `ERR_SYSCALL`.
   *
   * @example
   * ```ts
   * await launcher.close()
   * ```
   */
  close(): Promise<void> {
    this.#closing ??= this.#closeOnce()
    return this.#closing
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #closeOnce(): Promise<void> {
    await using steps = new AsyncDisposableStack()
    steps.defer(async () => {
      const binding = this.#binding
      if (binding !== undefined) await inTurn(this.address, () => giveBack(binding, false))
    })
    steps.defer(() => this.#closeOwn('its launcher was closed'))
    steps.defer(async () => this.#tenant?.end())
  }

  /** Makes the address space, hands it over, and takes it back when that fails. */
  async #lend<Given extends Tenant>(
    hand: (lease: Lease, onReleased: () => void) => Promise<[Given, () => Promise<void>]>,
    wait?: SocketWaitOptions,
  ): Promise<Given> {
    this.#assertFree()
    const over = Promise.withResolvers<void>()
    const pending = { pid: undefined, end: () => over.promise }
    this.#tenant = pending
    const free = () => {
      this.#tenant = undefined
    }
    try {
      await this.#closeOwn('it was handed to another program')
      const lease = await Lease.open(this.#location, this.#backend)
      const [tenant, end] = await handOrEnd(lease, () => hand(lease, free))
      if (this.#tenant === pending) this.#tenant = { pid: tenant.pid, end }
      if (wait !== undefined) await adoptedInTime(tenant, end, wait)
      if (this.closed) {
        await end()
        this.#assertFree()
      }
      return tenant
    } catch (error) {
      if (this.#tenant === pending) free()
      throw error
    } finally {
      over.resolve()
    }
  }

  async #closeOwn(reason: string): Promise<void> {
    const own = this.#own
    this.#own = undefined
    if (own === undefined) return
    try {
      await own.device.closeBecause(reason)
    } finally {
      own.domain.close()
    }
  }

  #assertFree(): void {
    if (this.closed) {
      throw new OpenbarError('ERR_CLOSED', {
        message: `The launcher of ${this.address} was closed.`,
        hint: 'Open a new one: DeviceLauncher.open(address).',
        context: { what: 'launcher' },
      })
    }
    const tenant = this.#tenant
    if (tenant === undefined) return
    const { pid } = tenant
    const holders = pid === undefined ? [] : [{ pid, command: readText(`/proc/${pid}/comm`) ?? '?' }]
    throw new OpenbarError('ERR_DEVICE_BUSY', {
      message: `${this.address} is in the hands of ${pid === undefined ? 'a program that is being started' : `process ${pid}`}: the launcher cannot reach it.`,
      hint: 'Wait until it is back: await driver.released; or take it back: await driver.stop().',
      context: { address: this.address, holders },
    })
  }
}

async function handOrEnd<Result>(lease: Lease, hand: () => Promise<Result>): Promise<Result> {
  try {
    return await hand()
  } catch (error) {
    lease.end()
    throw error
  }
}

/** Waits until a running program has the device; takes it back when that does not come. */
async function adoptedInTime(tenant: Tenant, end: () => Promise<void>, { timeout, signal }: SocketWaitOptions) {
  const { promise: over, reject } = Promise.withResolvers<never>()
  using steps = new DisposableStack()
  if (timeout !== undefined) {
    const error = new OpenbarError('ERR_TIMEOUT', {
      message: `Waited ${timeout} ms for process ${tenant.pid} to take the device over, in vain.`,
      context: { waitedFor: 'a device to be taken over', milliseconds: timeout },
    })
    const timer = setTimeout(() => reject(error), timeout)
    steps.defer(() => clearTimeout(timer))
  }
  const onAbort = () => reject(signal?.reason)
  signal?.addEventListener('abort', onAbort)
  steps.defer(() => signal?.removeEventListener('abort', onAbort))
  try {
    await Promise.race([tenant.adopted, over])
  } catch (error) {
    await end()
    throw error
  }
}
