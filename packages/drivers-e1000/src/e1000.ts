import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
import type { Domain } from '@openbar/iommu'
import {
  type BoundRegisters,
  bindRegisters,
  type Device,
  type InterruptKind,
  isOpenbarError,
  OpenbarError,
  type RegisterWindow,
  waitUntil,
} from '@openbar/vfio'
import { readMacAddress } from './hardware/eeprom.ts'
import { type LinkState, readLink, setLinkUp } from './hardware/link.ts'
import { type E1000Model, findModel } from './hardware/models.ts'
import { resetPhy } from './hardware/phy.ts'
import { setReceiveFilter } from './hardware/receive-filter.ts'
import { type E1000Registers, e1000Registers } from './hardware/registers.ts'
import { reset, stop } from './hardware/reset.ts'
import { type Statistics, StatisticsCounter } from './hardware/statistics.ts'
import { bestInterruptKind, NicInterrupts } from './nic-interrupts.ts'
import { ReceiveRing } from './ring/receive-ring.ts'
import { enableReceiver, enableTransmitter, TransmitRing } from './ring/transmit-ring.ts'
import { WakeUp } from './wake-up.ts'

/** How to start a NIC. */
export interface E1000Options {
  /** How it interrupts; the best that it has by default: MSI-X, else MSI, else INTx. */
  readonly interrupt?: InterruptKind
  /** Receive descriptors, a power of two from 8 to 4096; 256 by default. */
  readonly receiveDescriptors?: number
  /** Transmit descriptors, a power of two from 8 to 4096; 256 by default. */
  readonly transmitDescriptors?: number
}

const MAX_FRAME = 1514
const SEND_TIMEOUT_MS = 1000
/** Frames that are polled in one go: in a flood, timers and other files would otherwise never have their turn. */
const POLL_BUDGET = 64

/**
 * An Intel 82540EM, 82545EM or 82574L, driven from here.
 *
 * @see Intel PCI/PCI-X Family of Gigabit Ethernet Controllers Software Developer's Manual, 14 (initialisation)
 * @see Intel 82574 GbE Controller Family Datasheet, 4.6 (initialisation)
 *
 * @example
 * ```ts
 * await using device = await Device.open('0000:00:02.0', { bind: true })
 * await using nic = await E1000.start(device)
 * await nic.waitForLink({ timeout: 5000 })
 * await nic.send(frame)
 * for await (const received of nic.frames({ signal: AbortSignal.timeout(1000) })) console.log(received.length)
 * ```
 */
export class E1000 {
  /** Intel's name of the controller. */
  readonly model: string
  /** The MAC address, as text. */
  readonly mac: string
  readonly #device: Device
  readonly #domain: Domain
  readonly #window: RegisterWindow
  readonly #regs: E1000Registers
  readonly #receive: ReceiveRing
  readonly #transmit: TransmitRing
  readonly #statistics: StatisticsCounter
  readonly #interrupts: NicInterrupts
  readonly #received = new WakeUp()
  #failure: unknown
  #closing: Promise<void> | undefined
  #closed = false

  private constructor(
    device: Device,
    window: RegisterWindow,
    regs: E1000Registers,
    model: E1000Model,
    mac: Uint8Array,
    options: Required<E1000Options>,
  ) {
    this.model = model.name
    this.mac = Array.from(mac, (byte) => byte.toString(16).padStart(2, '0')).join(':')
    this.#device = device
    this.#window = window
    this.#regs = regs
    this.#statistics = new StatisticsCounter(regs)
    this.#domain = device.domain
    this.#receive = new ReceiveRing(this.#domain, regs, options.receiveDescriptors)
    try {
      this.#transmit = new TransmitRing(this.#domain, regs, options.transmitDescriptors)
    } catch (error) {
      this.#receive.close()
      throw error
    }
    this.#interrupts = new NicInterrupts(device, regs, options.interrupt, {
      onReceive: () => this.#received.wake(),
      onError: (error) => this.#fail(error),
    })
  }

  /**
   * Tells whether this driver serves a PCI function.
   *
   * @example
   * ```ts
   * listFunctions().filter(E1000.supports)
   * ```
   */
  static supports(
    this: void,
    { vendorId, deviceId }: { readonly vendorId: number; readonly deviceId: number },
  ): boolean {
    return findModel(vendorId, deviceId) !== undefined
  }

  /**
   * Resets the NIC and starts it: rings, filter, link, transmitter, receiver, interrupts.
   *
   * Switches on bus mastering and the device's interrupts. Rings and buffers are mapped in the device's domain.
   *
   * @param device - The device, in a domain. It stays the caller's: close it after the NIC.
   * @throws {@link OpenbarError} `ERR_NOT_SUPPORTED` for another device; `ERR_DEVICE_FAULT` when the EEPROM is wrong;
   *   `ERR_INVALID_ARGUMENT`; `ERR_INTERRUPT`; `ERR_NO_DOMAIN`; `ERR_CLOSED` when the device is closed meanwhile; and
   *   what mapping memory throws. Nothing is left behind then.
   *
   * @example
   * ```ts
   * await using nic = await E1000.start(device, { interrupt: 'msi' })
   * ```
   */
  static async start(device: Device, options: E1000Options = {}): Promise<E1000> {
    const model = findModel(device.config.vendorId, device.config.deviceId)
    if (model === undefined) throw notSupported(device)
    const { interrupt = bestInterruptKind(device), receiveDescriptors = 256, transmitDescriptors = 256 } = options
    const window = device.bar(0).map()
    try {
      const regs = bindRegisters(e1000Registers, window)
      await reset(regs)
      await resetPhy(regs)
      const mac = readMacAddress(regs, model)
      const nic = new E1000(device, window, regs, model, mac, { interrupt, receiveDescriptors, transmitDescriptors })
      try {
        nic.#start(model, mac)
      } catch (error) {
        await nic.close()
        throw error
      }
      return nic
    } catch (error) {
      window.close()
      throw error
    }
  }

  /** How the NIC interrupts. */
  get interruptKind(): InterruptKind {
    return this.#interrupts.kind
  }

  /** Interrupts handled since the start. */
  get interrupts(): number {
    return this.#interrupts.count
  }

  /**
   * The NIC's registers, by name.
   *
   * @throws {@link OpenbarError} `ERR_CLOSED`.
   *
   * @example
   * ```ts
   * nic.registers.STATUS.fields().LU
   * ```
   */
  get registers(): BoundRegisters<typeof e1000Registers> {
    this.#assertOpen()
    return this.#regs
  }

  /**
   * The link's state now.
   *
   * @throws {@link OpenbarError} `ERR_CLOSED`, `ERR_DEVICE_GONE`.
   */
  get link(): LinkState {
    this.#assertOpen()
    return readLink(this.#regs)
  }

  /**
   * Waits until the link is up.
   *
   * @param options.timeout - Longest wait in milliseconds.
   * @throws {@link OpenbarError} `ERR_TIMEOUT`, `ERR_CLOSED`, or the signal's reason.
   *
   * @example
   * ```ts
   * const { speed } = await nic.waitForLink({ timeout: 5000 })
   * ```
   */
  async waitForLink(options: { readonly timeout: number; readonly signal?: AbortSignal }): Promise<LinkState> {
    const waitedFor = `the link of ${this.#device.address}`
    await waitUntil(() => this.link.up, { timeout: options.timeout, signal: options.signal, waitedFor, interval: 10 })
    return this.link
  }

  /**
   * Sends a frame, from destination address to payload; the NIC pads it to 60 bytes and adds the CRC. The frame is
   * copied, so it may be used again at once.
   *
   * @param frame - 14 to 1514 bytes.
   * @returns When the frame is in the ring; waits while the ring is full. Frames keep their order when each is awaited.
   * @throws {@link OpenbarError} `ERR_INVALID_ARGUMENT`; `ERR_TIMEOUT` when there is no room for a second; `ERR_CLOSED`.
   *
   * @example
   * ```ts
   * await nic.send(frame)
   * ```
   */
  async send(frame: Uint8Array): Promise<void> {
    this.#assertOpen()
    if (frame.length < 14 || frame.length > MAX_FRAME) {
      throw new OpenbarError('ERR_INVALID_ARGUMENT', {
        message: `A frame must have 14 to ${MAX_FRAME} bytes, not ${frame.length}.`,
        context: { argument: 'frame', value: frame.length },
      })
    }
    if (this.#transmit.send(frame)) return
    const sent = () => {
      this.#assertOpen()
      return this.#transmit.send(frame)
    }
    await waitUntil(sent, {
      timeout: SEND_TIMEOUT_MS,
      waitedFor: `room in the transmit ring of ${this.#device.address}`,
    })
  }

  /**
   * The frames as they come, without their CRC, each a copy of its own. Ends when the signal aborts or the NIC is closed.
   *
   * Sleeps until an interrupt, then polls until the ring is empty.
   *
   * @throws {@link OpenbarError} `ERR_DEVICE_GONE` when the device is removed meanwhile; `ERR_CLOSED` when it is closed,
   *   leaves its domain or loses its interrupts.
   *
   * @example
   * ```ts
   * for await (const frame of nic.frames({ signal: AbortSignal.timeout(1000) })) console.log(frame.length)
   * ```
   */
  async *frames(options: { readonly signal?: AbortSignal } = {}): AsyncGenerator<Uint8Array, void, void> {
    this.#assertOpen()
    const { signal } = options
    let polled = 0
    try {
      for (;;) {
        if (this.#closed || signal?.aborted === true) return
        if (this.#failure !== undefined) throw this.#failure
        const frame = this.#interrupts.armed ? undefined : this.#receive.take()
        if (frame !== undefined) {
          yield frame
          polled += 1
          if (polled % POLL_BUDGET === 0) await nextTurn()
          continue
        }
        // Asleep before arming: an interrupt that comes between the two finds somebody to wake.
        const asleep = this.#received.sleep(signal)
        if (!this.#interrupts.armed) this.#arm()
        await asleep
      }
    } finally {
      // The reader may leave in the middle: with the ring drained, the next frame has to interrupt again.
      const reachable = !this.#closed && !this.#window.closed
      if (reachable && !this.#interrupts.armed && !this.#receive.pending) this.#arm()
    }
  }

  /**
   * What the NIC has counted since it was started.
   *
   * @throws {@link OpenbarError} `ERR_CLOSED`, `ERR_DEVICE_GONE`.
   *
   * @example
   * ```ts
   * const { receivedPackets, missedPackets } = nic.statistics()
   * ```
   */
  statistics(): Statistics {
    this.#assertOpen()
    return this.#statistics.read()
  }

  /**
   * Stops the NIC: interrupts, receiver, transmitter and bus mastering off, then the memory is given back. Further calls
   * do nothing. The device stays open.
   *
   * @example
   * ```ts
   * await nic.close()
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
    this.#closed = true
    this.#received.wake()
    let gone = false
    // From the last to the first, and each whatever becomes of the others: DMA is stopped before its memory goes.
    using steps = new DisposableStack()
    steps.use(this.#window)
    steps.defer(() => this.#transmit.close())
    steps.defer(() => this.#receive.close())
    steps.defer(() => {
      if (!gone && this.#stillOurs) this.#device.config.command.busMasterEnable = false
    })
    steps.defer(() => {
      if (this.#stillOurs) this.#device.interrupts.disable()
    })
    gone = this.#stopUnits() === 'gone'
    // Lets a message that is under way arrive. QEMU's 82574L ends QEMU itself when MSI-X is switched off within the
    // throttling interval of one, 128 us.
    await sleep(20)
  }

  /** A device that was closed or has left the domain was brought to rest by that, and may be somebody else's now. */
  get #stillOurs(): boolean {
    return !this.#device.closed && this.#domain.snapshot().devices.includes(this.#device.address)
  }

  #stopUnits(): 'stopped' | 'gone' {
    try {
      // Without the window, as after a reset or with memory decoding off, taking the bus away has to do.
      if (!this.#window.closed) stop(this.#regs)
      return 'stopped'
    } catch (error) {
      if (isOpenbarError(error, 'ERR_DEVICE_GONE')) return 'gone'
      throw error
    }
  }

  #start(model: E1000Model, mac: Uint8Array): void {
    setReceiveFilter(this.#regs, mac)
    this.#receive.start()
    this.#transmit.start()
    setLinkUp(this.#regs)
    // Without bus mastering the NIC can neither fetch a descriptor nor write one back.
    this.#device.config.command.busMasterEnable = true
    enableTransmitter(this.#regs, model.pciExpress)
    enableReceiver(this.#regs)
    this.#interrupts.start()
  }

  #arm(): void {
    this.#receive.giveBack()
    this.#interrupts.armReceive()
  }

  #fail(error: unknown): void {
    this.#failure ??= error
    this.#received.wake()
  }

  #assertOpen(): void {
    if (!this.#closed) return
    throw new OpenbarError('ERR_CLOSED', {
      message: `The driver of ${this.#device.address} was closed.`,
      hint: 'Start it again: E1000.start(device).',
      context: { what: 'E1000' },
    })
  }
}

function notSupported(device: Device): OpenbarError<'ERR_NOT_SUPPORTED'> {
  const { vendorId, deviceId } = device.config
  const id = [vendorId, deviceId].map((part) => part.toString(16).padStart(4, '0')).join(':')
  return new OpenbarError('ERR_NOT_SUPPORTED', {
    message: `${device.address} is [${id}], which this driver does not serve.`,
    hint: 'It serves the 82540EM [8086:100e], 82545EM [8086:100f] and 82574L [8086:10d3].',
    context: { what: id },
  })
}
