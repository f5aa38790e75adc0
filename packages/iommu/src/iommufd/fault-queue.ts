import { readSync, writeSync } from 'node:fs'
import {
  closeFd,
  Errno,
  errnoOf,
  type Fd,
  FdWatcher,
  IOMMU_FAULT_QUEUE_ALLOC,
  IOMMUFD_PAGE_RESP_INVALID,
  IOMMUFD_PAGE_RESP_SUCCESS,
  invalidArgument,
  iommuFaultAlloc,
  iommuHwptPageResponse,
  OpenbarError,
  ownFd,
  syscallError,
  tryIoctl,
} from '@openbar/linux'
import { fdUnlessClosed, type IommufdContextHandle } from './address-space.ts'
import { destroyObject, inUseError } from './destroy-object.ts'
import { PAGE_REQUEST_SIZE, type PageRequestGroup, parsePageRequests } from './page-request.ts'
import { refusal } from './refusal.ts'
import { Users } from './users.ts'

/** What became of a group: the pages are there now, so that the device tries again; or they cannot be had. */
export type PageResponse = 'success' | 'invalid'

/** How to read page requests. */
export interface PageRequestOptions {
  /** Ends the reading. */
  readonly signal?: AbortSignal
}

const MOST_REQUESTS = 2 ** 20

/**
 * Where the page requests (PRI) of devices come in whose page tables were allocated with it, and where they are
 * answered.
 *
 * A device waits until it is answered. What is not answered when a device is detached from its table the kernel answers
 * as invalid. A device that is attached to another table without being detached must have no open question before:
 * {@link FaultQueue.rejectAll}. Linux 6.12 frees what is open twice then, and goes down.
 *
 * @see linux/iommufd.h, `struct iommu_fault_alloc`, `struct iommu_hwpt_pgfault`
 *
 * @example
 * ```ts
 * using queue = FaultQueue.allocate(space)
 * using table = PageTable.allocate(space, deviceId, { parent, data, faultQueue: queue })
 * for await (const { cookie, requests } of queue) {
 *   for (const { address } of requests) fillPage(address)
 *   queue.respond(cookie, 'success')
 * }
 * ```
 */
export class FaultQueue {
  /** The kernel's number of the queue. */
  readonly id: number
  readonly #context: IommufdContextHandle
  readonly #fd: Fd<'file'>
  readonly #tables = new Users()
  readonly #waits = new Set<() => void>()
  /** Cookies of the groups that wait for their answer. */
  readonly #open = new Set<number>()
  #unread: PageRequestGroup[] = []
  #capacity = 64
  #state: 'open' | 'half closed' | 'closed' = 'open'

  private constructor(context: IommufdContextHandle, id: number, fd: Fd<'file'>) {
    this.#context = context
    this.id = id
    this.#fd = fd
  }

  /**
   * Allocates a queue.
   *
   * @throws {@link OpenbarError} `ERR_NOT_SUPPORTED` on kernels before Linux 6.11; `ERR_SYSCALL`.
   *
   * @example
   * ```ts
   * using queue = FaultQueue.allocate(space)
   * ```
   */
  static allocate(context: IommufdContextHandle): FaultQueue {
    const command = iommuFaultAlloc.allocate()
    command.size = iommuFaultAlloc.size
    const result = tryIoctl(context.fd, IOMMU_FAULT_QUEUE_ALLOC, command)
    if (result < 0) {
      const asked = { what: 'fault queue', target: '/dev/iommu', since: '6.11' }
      throw refusal(IOMMU_FAULT_QUEUE_ALLOC, -result, asked)
    }
    return new FaultQueue(context, command.out_fault_id, ownFd(command.out_fault_fd))
  }

  /** The queue's file descriptor, for an event loop of the caller's: readable when a device asks. Do not close it. */
  get fd(): Fd<'file'> {
    this.#assertOpen()
    return this.#fd
  }

  /**
   * Takes the groups that are there. Never waits.
   *
   * @throws {@link OpenbarError} `ERR_CLOSED`, `ERR_SYSCALL`.
   *
   * @example
   * ```ts
   * for (const { cookie } of queue.take()) queue.respond(cookie, 'invalid')
   * ```
   */
  take(): PageRequestGroup[] {
    this.#assertOpen()
    const groups = this.#unread
    this.#unread = []
    groups.push(...this.#read())
    return groups
  }

  /**
   * The groups as they come. Ends when the signal aborts or the queue is closed. One reader at a time; what it leaves
   * unread is for the next.
   *
   * @throws {@link OpenbarError} `ERR_CLOSED` when the queue was closed before; `ERR_INVALID_ARGUMENT` while somebody
   *   else waits for {@link FaultQueue.fd}; `ERR_SYSCALL`.
   *
   * @example
   * ```ts
   * for await (const group of queue.requests({ signal: AbortSignal.timeout(1000) })) queue.respond(group.cookie,
   * 'invalid')
   * ```
   */
  async *requests(options: PageRequestOptions = {}): AsyncGenerator<PageRequestGroup, void, void> {
    const { signal } = options
    this.#assertOpen()
    while (this.#state === 'open' && signal?.aborted !== true) {
      if (this.#unread.length === 0) this.#unread = this.#read()
      const group = this.#unread.shift()
      if (group !== undefined) {
        yield group
        continue
      }
      if (!(await this.#readable(signal))) return
      this.#unread = this.#read()
      // Something is there, though nothing fitted.
      if (this.#unread.length === 0) this.#capacity = Math.min(this.#capacity * 2, MOST_REQUESTS)
    }
  }

  /** The same as {@link FaultQueue.requests} without options. */
  [Symbol.asyncIterator](): AsyncGenerator<PageRequestGroup, void, void> {
    return this.requests()
  }

  /**
   * Answers a group.
   *
   * @param cookie - The group's.
   * @throws {@link OpenbarError} `ERR_INVALID_ARGUMENT` for a cookie that waits for no answer; `ERR_CLOSED`,
   *   `ERR_SYSCALL`.
   * @see linux/iommufd.h, `struct iommu_hwpt_page_response`
   *
   * @example
   * ```ts
   * queue.respond(group.cookie, 'success')
   * ```
   */
  respond(cookie: number, response: PageResponse): void {
    this.#assertOpen()
    if (response !== 'success' && response !== 'invalid') {
      throw invalidArgument('response', response, "'success' or 'invalid'")
    }
    const answer = iommuHwptPageResponse.allocate()
    answer.cookie = cookie
    answer.code = response === 'success' ? IOMMUFD_PAGE_RESP_SUCCESS : IOMMUFD_PAGE_RESP_INVALID
    try {
      writeSync(this.#fd, answer.bytes)
    } catch (error) {
      const errno = errnoOf(error)
      if (errno === undefined) throw error
      if (errno === Errno.EINVAL) throw invalidArgument('cookie', cookie, 'that of a group that waits for its answer')
      throw syscallError('write', errno, this.#name)
    }
    this.#open.delete(cookie)
  }

  /**
   * Answers as invalid whatever was not answered, read or not.
   *
   * @returns How many groups that were.
   * @throws {@link OpenbarError} `ERR_CLOSED`, `ERR_SYSCALL`.
   *
   * @example
   * ```ts
   * queue.rejectAll() // before the device is attached to another table
   * ```
   */
  rejectAll(): number {
    while (this.take().length > 0);
    const cookies = [...this.#open]
    for (const cookie of cookies) this.respond(cookie, 'invalid')
    return cookies.length
  }

  /**
   * Ends all readings and gives the queue back. Further calls do nothing.
   *
   * @throws {@link OpenbarError} `ERR_DOMAIN_STATE` while a page table uses it, naming which; it stays open then.
   */
  close(): void {
    if (this.#state === 'closed') return
    const tables = this.#tables.describe()
    if (tables !== undefined) throw inUseError(this.#name, tables)
    if (this.#state === 'open') {
      this.#state = 'half closed'
      for (const end of [...this.#waits]) end()
      // The kernel takes its file for a user of the queue.
      closeFd(this.#fd)
    }
    const context = fdUnlessClosed(this.#context)
    if (context !== undefined) destroyObject(context, this.id, this.#name, () => 'a page table')
    this.#state = 'closed'
  }

  [Symbol.dispose](): void {
    this.close()
  }

  /** @internal */
  usedBy(name: string): () => void {
    return this.#tables.add(name)
  }

  /** @internal The queue's number, for use in a context. */
  idIn(fd: Fd<'iommufd'>): number {
    this.#assertOpen()
    if (this.#context.fd !== fd) throw invalidArgument('faultQueue', this.id, 'a queue of the same iommufd context')
    return this.id
  }

  get #name(): string {
    return `fault queue ${this.id}`
  }

  /** Whole groups only: one that is larger than the buffer reads as nothing. */
  #read(): PageRequestGroup[] {
    const buffer = new Uint8Array(this.#capacity * PAGE_REQUEST_SIZE)
    try {
      const length = readSync(this.#fd, buffer)
      const groups = parsePageRequests(buffer.subarray(0, length))
      for (const { cookie } of groups) this.#open.add(cookie)
      return groups
    } catch (error) {
      const errno = errnoOf(error)
      if (errno === undefined) throw error
      throw syscallError('read', errno, this.#name)
    }
  }

  /** Waits until there is something to read: `true`; or the queue is closed or the signal aborts: `false`. */
  async #readable(signal: AbortSignal | undefined): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>()
    const watcher = new FdWatcher(this.#fd, () => stop(true))
    const stop = (readable: boolean) => {
      // At once, not after the wait: close() closes the watched file next.
      watcher.close()
      resolve(readable)
    }
    const end = () => stop(false)
    this.#waits.add(end)
    signal?.addEventListener('abort', end, { once: true })
    try {
      return await promise
    } finally {
      this.#waits.delete(end)
      signal?.removeEventListener('abort', end)
    }
  }

  #assertOpen(): void {
    if (this.#state === 'open') return
    throw new OpenbarError('ERR_CLOSED', {
      message: `Fault queue ${this.id} was closed.`,
      context: { what: 'fault queue' },
    })
  }
}
