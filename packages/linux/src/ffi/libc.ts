import { createRequire } from 'node:module'
import { assertSupportedPlatform } from '../platform.ts'

assertSupportedPlatform()

// Loaded by require, and only after the check above: a static import would be evaluated before it and fail with
// an error of koffi's on a platform that koffi has no binary for.
const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi')
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
