import { createRequire } from 'node:module'
import { isMainThread } from 'node:worker_threads'
import { assertSupportedPlatform } from '../platform.ts'

assertSupportedPlatform()

// Loaded by require, and only after the check above: a static import would be evaluated before it and fail with
// an error of koffi's on a platform that koffi has no binary for.
const require = createRequire(import.meta.url)
const koffi = require('koffi') as typeof import('koffi')
if (!isMainThread) keepLoaded()
const libc = koffi.load('libc.so.6')

/** What may stand for a pointer: memory of ours, an address, or null. */
export type PointerLike = ArrayBufferView | ArrayBuffer | bigint | number | null

type Call<Args extends unknown[], Result = number> = (...args: Args) => Result

/** The C library's functions, exactly as C has them: -1 and {@link lastErrno} on failure. */
export const libcCalls = {
  // Fixed arity: a variadic declaration costs a third more per call, and the kernel takes exactly one argument here.
  ioctl: libc.func('int ioctl(int, unsigned long, void *)') as Call<[fd: number, request: number, arg: PointerLike]>,
  // The same with the pointer as a number: a fifth of the cost, for memory whose address is known.
  ioctlAt: libc.func('int ioctl(int, unsigned long, uintptr_t)') as Call<
    [fd: number, request: number, address: number]
  >,
  mmap: libc.func('void *mmap(void *, size_t, int, int, int, int64_t)') as Call<
    [address: PointerLike, length: number, prot: number, flags: number, fd: number, offset: number | bigint],
    bigint | null
  >,
  munmap: libc.func('int munmap(void *, size_t)') as Call<[address: bigint, length: number]>,
  madvise: libc.func('int madvise(void *, size_t, int)') as Call<[address: bigint, length: number, advice: number]>,
  memfd_create: libc.func('int memfd_create(const char *, unsigned int)') as Call<[name: string, flags: number]>,
  // Fixed arity here too: of fcntl's requests only those that take one int are used.
  fcntl: libc.func('int fcntl(int, int, int)') as Call<[fd: number, request: number, argument: number]>,
  dup3: libc.func('int dup3(int, int, int)') as Call<[from: number, to: number, flags: number]>,
  // Only for descriptors that Node does not know of; see closeFd for all others.
  close: libc.func('int close(int)') as Call<[fd: number]>,
  mprotect: libc.func('int mprotect(void *, size_t, int)') as Call<[address: bigint, length: number, prot: number]>,
  eventfd: libc.func('int eventfd(unsigned int, int)') as Call<[initial: number, flags: number]>,
  readAt: libc.func('int64_t read(int, uintptr_t, size_t)') as Call<[fd: number, address: number, length: number]>,
  write: libc.func('int64_t write(int, const void *, size_t)') as Call<
    [fd: number, buffer: PointerLike, length: number]
  >,
  lseek: libc.func('int64_t lseek(int, int64_t, int)') as Call<[fd: number, offset: number, whence: number]>,
  pread: libc.func('int64_t pread(int, void *, size_t, int64_t)') as Call<
    [fd: number, buffer: PointerLike, length: number, offset: number]
  >,
  pwrite: libc.func('int64_t pwrite(int, const void *, size_t, int64_t)') as Call<
    [fd: number, buffer: PointerLike, length: number, offset: number]
  >,
  socket: libc.func('int socket(int, int, int)') as Call<[domain: number, type: number, protocol: number]>,
  socketpair: libc.func('int socketpair(int, int, int, void *)') as Call<
    [domain: number, type: number, protocol: number, pair: PointerLike]
  >,
  bind: libc.func('int bind(int, const void *, unsigned int)') as Call<
    [fd: number, address: PointerLike, length: number]
  >,
  listen: libc.func('int listen(int, int)') as Call<[fd: number, backlog: number]>,
  accept4: libc.func('int accept4(int, void *, void *, int)') as Call<
    [fd: number, address: PointerLike, length: PointerLike, flags: number]
  >,
  connect: libc.func('int connect(int, const void *, unsigned int)') as Call<
    [fd: number, address: PointerLike, length: number]
  >,
  sendmsg: libc.func('int64_t sendmsg(int, const void *, int)') as Call<
    [fd: number, message: PointerLike, flags: number]
  >,
  recvmsg: libc.func('int64_t recvmsg(int, void *, int)') as Call<[fd: number, message: PointerLike, flags: number]>,
  getsockopt: libc.func('int getsockopt(int, int, int, void *, void *)') as Call<
    [fd: number, level: number, name: number, value: PointerLike, length: PointerLike]
  >,
}

/** The error number of the last call in {@link libcCalls}; any other call in between overwrites it. */
export const lastErrno: () => number = koffi.errno

/** The address of a buffer's first byte. It holds as long as the buffer lives. */
export const addressOf: (buffer: ArrayBufferView | ArrayBuffer) => bigint = koffi.address

/** An ArrayBuffer over memory that stands at an address; it does not own the memory. */
export const viewMemory: (address: bigint, length: number) => ArrayBuffer = koffi.view

/** A wait for readiness in Node's event loop. Any call after `close` crashes the process. */
export interface PollHandle {
  close(): void
  ref(): void
  unref(): void
}

/** Calls back whenever a pollable fd is readable. The fd becomes non-blocking. */
export function pollReadable(fd: number, callback: (status: number) => void): PollHandle {
  // The callback really has two arguments, status and events; koffi's declaration has one.
  const start = koffi.node.poll as unknown as (
    fd: number,
    options: { readable: boolean },
    callback: (status: number) => void,
  ) => PollHandle
  return start(fd, { readable: true }, callback)
}

/** What a thread does at its very end, when it runs no more JavaScript: calls of C functions with one pointer. */
export interface ThreadEndHooks {
  add(code: bigint, argument: number): boolean
  remove(code: bigint, argument: number): void
}

/**
 * The hooks of this thread's environment, where this program has Node-API's functions.
 *
 * @see Node-API, napi_add_env_cleanup_hook
 */
export function threadEndHooks(): ThreadEndHooks | undefined {
  type Hook = (environment: bigint, code: bigint, argument: number) => number
  try {
    const program = koffi.load(null)
    const add = program.func('int napi_add_env_cleanup_hook(uintptr_t, uintptr_t, uintptr_t)') as Hook
    const remove = program.func('int napi_remove_env_cleanup_hook(uintptr_t, uintptr_t, uintptr_t)') as Hook
    const environment = koffi.address(koffi.node.env)
    return {
      add: (code, argument) => add(environment, code, argument) === 0,
      remove: (code, argument) => void remove(environment, code, argument),
    }
  } catch {
    return undefined
  }
}

/**
 * Keeps koffi's code in memory. Node unloads it with the last thread that uses it, before the event loop of that thread has closed
 * a poll handle that is still open, by a call of that code: a worker that ended without closing it would end the process.
 */
function keepLoaded(): void {
  const RTLD_LAZY = 0x1
  const RTLD_NODELETE = 0x1000
  const path = Object.keys(require.cache).find((file) => file.endsWith('koffi.node'))
  const dlopen = koffi.load(null).func('void *dlopen(const char *, int)') as Call<
    [path: string, flags: number],
    unknown
  >
  if (path !== undefined) dlopen(path, RTLD_LAZY | RTLD_NODELETE)
}
