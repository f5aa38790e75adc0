import { isMainThread } from 'node:worker_threads'
import { libcCalls, threadEndHooks, viewMemory } from './libc.ts'

const PAGE = 4096
const PROT_READ_WRITE = 0x3
const PROT_READ_EXECUTE = 0x5
const MAP_PRIVATE_ANONYMOUS = 0x22

/**
 * `void leave(struct { u32 revoked; u32 _; u64 address; u64 size } *record)` for x86-64: sets `revoked` and puts anonymous memory in
 * the place of the pages, as `replacePages` does. A thread that is terminated runs no more JavaScript, and no function of the
 * C library does this for one pointer.
 */
const LEAVE = [
  [0xf3, 0x0f, 0x1e, 0xfa], // endbr64
  [0xc7, 0x07, 0x01, 0x00, 0x00, 0x00], // mov dword [rdi], 1
  [0x48, 0x8b, 0x77, 0x10], // mov rsi, [rdi + 16]
  [0x48, 0x8b, 0x7f, 0x08], // mov rdi, [rdi + 8]
  [0xba, 0x03, 0x00, 0x00, 0x00], // mov edx, PROT_READ | PROT_WRITE
  [0x41, 0xba, 0x32, 0x40, 0x00, 0x00], // mov r10d, MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS | MAP_NORESERVE
  [0x49, 0xc7, 0xc0, 0xff, 0xff, 0xff, 0xff], // mov r8, -1
  [0x45, 0x31, 0xc9], // xor r9d, r9d
  [0xb8, 0x09, 0x00, 0x00, 0x00], // mov eax, __NR_mmap
  [0x0f, 0x05], // syscall
  [0xc3], // ret
]

const hooks = isMainThread ? undefined : threadEndHooks()
let code: bigint | undefined

/**
 * Has this thread leave mapped pages behind as `MappedMemory.revoke` would, when it ends without having done so: by `terminate()`, by
 * an error, or by leaving its event loop. In the main thread, whose end is the process's, there is nothing to do.
 *
 * @param record - Address of the record above.
 * @returns Takes the wish back. `undefined` where the system gives no way to do it.
 */
export function leavePagesAtThreadEnd(record: number): (() => void) | undefined {
  if (hooks === undefined) return undefined
  code ??= writeCode()
  const written = code
  if (written === 0n || !hooks.add(written, record)) return undefined
  return () => hooks.remove(written, record)
}

/** The function's address; 0 on a system that forbids memory that was written to be executed. */
function writeCode(): bigint {
  const address = libcCalls.mmap(null, PAGE, PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS, -1, 0)
  if (address === null || address === 0xffff_ffff_ffff_ffffn) return 0n
  const page = viewMemory(address, PAGE)
  new Uint8Array(page).set(LEAVE.flat())
  page.transfer()
  if (libcCalls.mprotect(address, PAGE, PROT_READ_EXECUTE) === 0) return address
  libcCalls.munmap(address, PAGE)
  return 0n
}
