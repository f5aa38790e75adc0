import { type Fd, invalidArgument, OpenbarError } from '@openbar/linux'
import type { FaultEvent } from './fault-event.ts'
import { type FaultEvents, FaultWatch, type FaultWatchOptions } from './fault-watch.ts'
import { KernelLog, type LogSource } from './kernel-log.ts'
import { parseKmsgRecord } from './kmsg-record.ts'
import { parseFaultEvent } from './parse-fault-event.ts'

const PCI_ADDRESS = /^[\da-f]{4,8}:[\da-f]{2}:[01][\da-f]\.[0-7]$/
/** Records that are read in one go: in a flood, timers and other files would otherwise never have their turn. */
const READ_BUDGET = 256

/**
 * Tells of DMA that the IOMMU refused, as the kernel reports it in its log.
 *
 * Any number of watchers can iterate over one reader; each gets its own copy of every event that is for it. The kernel
 * limits how many faults it reports, so that a fault is evidence and silence is none: {@link FaultsLost} says what is
 * known to be missing. Watching keeps the process alive.
 *
 * @see Linux ABI: dev-kmsg
 *
 * @example
 * ```ts
 * using faults = FaultReader.open()
 * for await (const event of faults.events({ device: '0000:00:02.0', signal: AbortSignal.timeout(1000) })) {
 *   if (event.kind === 'fault') console.log(event.access, event.iova?.toString(16), event.reason)
 * }
 * ```
 */
export class FaultReader {
  readonly #log: LogSource
  readonly #watches = new Set<FaultWatch>()
  #watcher: { close(): void } | undefined
  /** The number that the next record has if none is missing. */
  #expected: number | undefined
  #overrun = false
  #closed = false

  private constructor(log: LogSource) {
    this.#log = log
  }

  /**
   * Opens the kernel's log.
   *
   * @throws {@link OpenbarError} `ERR_PERMISSION` when this process may not read it, saying what to do;
   *   `ERR_NOT_SUPPORTED` where there is none, as in most containers; `ERR_SYSCALL`.
   *
   * @example
   * ```ts
   * using faults = FaultReader.open()
   * ```
   */
  static open(): FaultReader {
    return new FaultReader(KernelLog.open())
  }

  /**
   * Adopts a descriptor of `/dev/kmsg` that a privileged process has opened and handed to this one. It belongs to the
   * reader from here on.
   *
   * Processes that share a descriptor take records from each other: who handed it over closes its own, and does not read.
   *
   * @throws {@link OpenbarError} `ERR_INVALID_ARGUMENT` for anything else; the descriptor stays the caller's then.
   *
   * @example
   * ```ts
   * spawn('node', ['driver.js'], { uid: 1000, gid: 1000, stdio: ['inherit', 'inherit', 'inherit', faults.fd] })
   * // and there:
   * using faults = FaultReader.fromFd(3)
   * ```
   */
  static fromFd(fd: number): FaultReader {
    return new FaultReader(KernelLog.fromFd(fd))
  }

  /** @internal A reader of a log that stands open already. */
  static over(log: LogSource): FaultReader {
    return new FaultReader(log)
  }

  /**
   * The file descriptor, to hand to another process. It stays the reader's: do not close it.
   *
   * @throws {@link OpenbarError} `ERR_CLOSED`.
   */
  get fd(): Fd<'file'> {
    this.#assertOpen()
    return this.#log.fd
  }

  /** Whether it was closed. */
  get closed(): boolean {
    return this.#closed
  }

  /**
   * What the kernel reports from this call on, of one device or of all.
   *
   * Events wait until they are taken; beyond 1024 the oldest are dropped, which is told as lost. What is lost is told to
   * every watcher, since nobody knows whose it was. The iteration ends when the loop is left, the signal aborts or the
   * reader is closed: end it, for it is fed until then.
   *
   * @throws {@link OpenbarError} `ERR_INVALID_ARGUMENT` for what is no full PCI address; `ERR_CLOSED`. The iteration
   *   throws `ERR_SYSCALL` when the log can no longer be read.
   *
   * @example
   * ```ts
   * const watch = faults.events({ device: '0000:00:02.0' }) // from here on
   * startDma()
   * const { value } = await watch.next()
   * ```
   */
  events(options: FaultWatchOptions = {}): FaultEvents {
    this.#assertOpen()
    const device = options.device?.toLowerCase()
    if (device !== undefined && !PCI_ADDRESS.test(device)) {
      throw invalidArgument('device', options.device, 'a full PCI address, such as 0000:00:02.0')
    }
    const watch: FaultWatch = new FaultWatch({ device, signal: options.signal }, () => this.#leave(watch))
    if (watch.ended) return watch
    try {
      this.#join(watch)
    } catch (error) {
      watch.end()
      throw error
    }
    return watch
  }

  /** Ends all iterations and closes the descriptor. Further calls do nothing. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    for (const watch of this.#watches) watch.end()
    this.#log.close()
  }

  [Symbol.dispose](): void {
    this.close()
  }

  #join(watch: FaultWatch): void {
    if (this.#watcher === undefined) {
      this.#log.seekEnd()
      this.#expected = undefined
      this.#overrun = false
      this.#watcher = this.#log.watch(this.#onReadable)
    } else {
      // What is there already is for those who came before.
      this.#drain(Number.POSITIVE_INFINITY)
    }
    this.#watches.add(watch)
  }

  #leave(watch: FaultWatch): void {
    this.#watches.delete(watch)
    if (this.#watches.size === 0) this.#unwatch()
  }

  #unwatch(): void {
    this.#watcher?.close()
    this.#watcher = undefined
  }

  readonly #onReadable = (): void => {
    try {
      this.#drain(READ_BUDGET)
    } catch (error) {
      for (const watch of this.#watches) watch.fail(error)
    }
  }

  #drain(budget: number): void {
    for (let count = 0; count < budget; count += 1) {
      const text = this.#log.read()
      if (text === undefined) return
      if (text === 'overrun') this.#watchAgain()
      else this.#take(text)
    }
  }

  /** The kernel shows an overrun as an error of the descriptor too, and the event loop then stops watching it. */
  #watchAgain(): void {
    this.#overrun = true
    this.#unwatch()
    this.#watcher = this.#log.watch(this.#onReadable)
  }

  #take(text: string): void {
    const record = parseKmsgRecord(text)
    if (record === undefined) return
    const { sequence, at } = record
    const missing = this.#expected === undefined ? undefined : sequence - this.#expected
    if (this.#overrun || (missing !== undefined && missing !== 0)) {
      this.#tell({ kind: 'lost', cause: 'log-overrun', count: missing, at })
    }
    this.#overrun = false
    this.#expected = sequence + 1
    const event = parseFaultEvent(record)
    if (event !== undefined) this.#tell(event)
  }

  #tell(event: FaultEvent): void {
    for (const watch of this.#watches) watch.push(event)
  }

  #assertOpen(): void {
    if (!this.#closed) return
    throw new OpenbarError('ERR_CLOSED', {
      message: 'This fault reader was closed.',
      hint: 'Open a new one: FaultReader.open().',
      context: { what: 'fault reader' },
    })
  }
}
