import {
  existsSync,
  fstatSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { Errno } from '../errors/errno.ts'
import { EventFd } from '../events/event-fd.ts'
import { asFd, closeFd, type Fd, openFd } from '../fd.ts'
import { libcCalls } from '../ffi/libc.ts'
import { temporaryDirectory } from '../testing/temporary-directory.ts'
import { thrownBy } from '../testing/thrown-by.ts'
import { MessageListener } from './message-listener.ts'
import { MessageSocket } from './message-socket.ts'
import { newSocket } from './new-socket.ts'
import { socketAddress } from './socket-address.ts'

const SOON = { timeout: 5000 }
const directory = temporaryDirectory()
const bytesOf = (text: string) => new TextEncoder().encode(text)
const textOf = (bytes: Uint8Array | undefined) => new TextDecoder().decode(bytes)
let sockets = 0
const newPath = () => join(directory, `socket-${sockets++}`)

/** What is open in this process, but for what the look itself opens. */
function openCount(): number {
  return readdirSync('/proc/self/fd').length
}

function closesOnExec(fd: Fd): boolean {
  const flags = /^flags:\s+(\d+)/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))?.[1]
  return (Number.parseInt(flags ?? '0', 8) & 0o2000000) !== 0
}

async function rejectionOf(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise
  } catch (error) {
    return error
  }
  throw new Error('not rejected')
}

describe('a pair of sockets', () => {
  test('keeps the bounds of messages, and their order', async () => {
    const [a, b] = MessageSocket.pair()
    for (const text of ['first', 'second', 'x'.repeat(65_536)]) await a.send(bytesOf(text), SOON)
    for (const text of ['first', 'second', 'x'.repeat(65_536)]) {
      expect(textOf((await b.receive(SOON))?.bytes)).toBe(text)
    }
    a.close()
    b.close()
  })

  test.each([1, 2, 3, 253])('carries %d open files, which are close-on-exec', async (count) => {
    const before = openCount()
    const [a, b] = MessageSocket.pair()
    const path = newPath()
    writeFileSync(path, 'content')
    const file = openFd<'file'>(path)
    await a.send(bytesOf('take these'), { ...SOON, fds: Array.from({ length: count }, () => file) })
    const message = await b.receive({ ...SOON, maxFds: count })
    expect(message?.fds).toHaveLength(count)
    for (const fd of message?.fds ?? []) {
      expect(fd).not.toBe(file)
      expect(fstatSync(fd).ino).toBe(fstatSync(file).ino)
      expect(closesOnExec(fd)).toBe(true)
      closeFd(fd)
    }
    closeFd(file)
    a.close()
    b.close()
    expect(openCount()).toBe(before)
  })

  test('delivers files in the order in which they were sent', async () => {
    const [a, b] = MessageSocket.pair()
    using event = new EventFd()
    const file = openFd<'file'>('/dev/null')
    await a.send(bytesOf('two'), { ...SOON, fds: [event.fd, file] })
    const { fds = [] } = (await b.receive({ ...SOON, maxFds: 2 })) ?? {}
    expect(fds.map((fd) => readlinkSync(`/proc/self/fd/${fd}`))).toEqual(['anon_inode:[eventfd]', '/dev/null'])
    for (const fd of [...fds, file]) closeFd(fd)
    a.close()
    b.close()
  })

  test.each([
    [0, 1],
    [1, 2],
    [1, 3],
    [2, 5],
  ])('of %d wanted files and %d sent closes all', async (maxFds, sent) => {
    const [a, b] = MessageSocket.pair()
    using event = new EventFd()
    const before = openCount()
    await a.send(bytesOf('too many'), { ...SOON, fds: Array.from({ length: sent }, () => event.fd) })
    expect(await rejectionOf(b.receive({ ...SOON, maxFds }))).toMatchObject({
      code: 'ERR_SYSCALL',
      errno: Errno.EMSGSIZE,
      syscall: 'recvmsg',
    })
    expect(openCount()).toBe(before)
    await a.send(bytesOf('the next'), SOON)
    expect(textOf((await b.receive(SOON))?.bytes)).toBe('the next')
    a.close()
    b.close()
  })

  test('waits for what is sent later', async () => {
    const [a, b] = MessageSocket.pair()
    const receiving = b.receive(SOON)
    setTimeout(() => void a.send(bytesOf('late'), SOON), 20)
    expect(textOf((await receiving)?.bytes)).toBe('late')
    a.close()
    b.close()
  })

  test('says when the other end was closed, after what it had sent', async () => {
    const [a, b] = MessageSocket.pair()
    await a.send(bytesOf('last words'), SOON)
    a.close()
    expect(textOf((await b.receive(SOON))?.bytes)).toBe('last words')
    expect(await b.receive(SOON)).toBeUndefined()
    expect(await rejectionOf(b.send(bytesOf('hello?'), SOON))).toMatchObject({
      code: 'ERR_SYSCALL',
      errno: Errno.EPIPE,
    })
    b.close()
  })

  test('says when the other end was closed without having read', async () => {
    const [a, b] = MessageSocket.pair()
    await a.send(bytesOf('unread'), SOON)
    b.close()
    expect(await a.receive(SOON)).toBeUndefined()
    a.close()
  })

  test('ends a wait by time, by signal and by closing, and none holds the socket', async () => {
    const [a, b] = MessageSocket.pair()
    expect(await rejectionOf(b.receive({ timeout: 10 }))).toMatchObject({
      code: 'ERR_TIMEOUT',
      context: { waitedFor: 'a message', milliseconds: 10 },
    })
    const reason = new Error('changed my mind')
    const abort = new AbortController()
    const aborted = b.receive({ signal: abort.signal })
    abort.abort(reason)
    expect(await rejectionOf(aborted)).toBe(reason)
    expect(await rejectionOf(b.receive({ signal: abort.signal }))).toBe(reason)
    const cut = b.receive(SOON)
    await new Promise((done) => setImmediate(done))
    b.close()
    expect(await rejectionOf(cut)).toMatchObject({ code: 'ERR_CLOSED' })
    expect(await rejectionOf(b.receive(SOON))).toMatchObject({ code: 'ERR_CLOSED' })
    expect(await rejectionOf(b.send(bytesOf('x'), SOON))).toMatchObject({ code: 'ERR_CLOSED' })
    a.close()
    a.close()
  })

  test('waits with sending while the other end does not read', async () => {
    const [a, b] = MessageSocket.pair()
    const block = new Uint8Array(60_000)
    let sent = 0
    for (;;) {
      try {
        await a.send(block, { timeout: 20 })
        sent += 1
      } catch (error) {
        expect(error).toMatchObject({ code: 'ERR_TIMEOUT' })
        break
      }
    }
    expect(sent).toBeGreaterThan(0)
    const more = a.send(bytesOf('at last'), SOON)
    for (let read = 0; read < sent; read += 1) await b.receive(SOON)
    await more
    expect(textOf((await b.receive(SOON))?.bytes)).toBe('at last')
    a.close()
    b.close()
  })

  test.each([
    { why: 'an empty message', size: 0, options: SOON },
    { why: 'too large a message', size: 65_537, options: SOON },
    { why: 'to wait without an end', size: 1, options: {} },
    { why: 'to wait for ever', size: 1, options: { timeout: Number.POSITIVE_INFINITY } },
    { why: 'to wait for less than no time', size: 1, options: { timeout: -1 } },
    { why: 'more files than fit', size: 1, options: { ...SOON, fds: Array.from({ length: 254 }, () => asFd(0)) } },
  ])('refuses $why', async ({ size, options }) => {
    const [a, b] = MessageSocket.pair()
    expect(await rejectionOf(a.send(new Uint8Array(size), options))).toMatchObject({ code: 'ERR_INVALID_ARGUMENT' })
    a.close()
    expect(await b.receive(SOON)).toBeUndefined()
    b.close()
  })

  test.each([{ maxFds: -1 }, { maxFds: 254 }, { maxFds: 0.5 }])('refuses to receive %j', async (options) => {
    const [a, b] = MessageSocket.pair()
    expect(await rejectionOf(a.receive({ ...SOON, ...options }))).toMatchObject({ code: 'ERR_INVALID_ARGUMENT' })
    a.close()
    b.close()
  })

  test('names a file that is not open', async () => {
    const [a, b] = MessageSocket.pair()
    const refused = a.send(bytesOf('x'), { ...SOON, fds: [asFd(999_999)] })
    expect(await rejectionOf(refused)).toMatchObject({ code: 'ERR_SYSCALL', errno: Errno.EBADF, syscall: 'sendmsg' })
    a.close()
    b.close()
  })
})

describe('a listener', () => {
  test('accepts, tells who connected, and leaves nothing behind', async () => {
    const before = openCount()
    const path = newPath()
    const listener = MessageListener.listen(path)
    expect(statSync(path).mode & 0o777).toBe(0o600)
    const accepting = listener.accept(SOON)
    const near = await MessageSocket.connect(path, SOON)
    const far = await accepting
    const self = { pid: process.pid, uid: process.getuid?.(), gid: process.getgid?.() }
    expect(near.peer).toEqual(self)
    expect(far.peer).toEqual(self)
    await near.send(bytesOf('hello'), SOON)
    expect(textOf((await far.receive(SOON))?.bytes)).toBe('hello')
    for (const end of [near, far, listener, listener]) end.close()
    expect(existsSync(path)).toBe(false)
    expect(openCount()).toBe(before)
  })

  test('refuses a path that is taken, and leaves what is there', () => {
    const path = newPath()
    using _listener = MessageListener.listen(path)
    const before = openCount()
    expect(thrownBy(() => MessageListener.listen(path))).toMatchObject({ code: 'ERR_SYSCALL', errno: Errno.EADDRINUSE })
    expect(existsSync(path)).toBe(true)
    expect(openCount()).toBe(before)
  })

  test('leaves a socket that another one put in its place', () => {
    const path = newPath()
    const listener = MessageListener.listen(path)
    const other = newPath()
    const second = MessageListener.listen(other)
    renameSync(other, path)
    listener.close()
    expect(existsSync(path)).toBe(true)
    second.close()
  })

  test('ends a wait by time and by closing', async () => {
    const listener = MessageListener.listen(newPath())
    expect(await rejectionOf(listener.accept({ timeout: 10 }))).toMatchObject({ code: 'ERR_TIMEOUT' })
    const cut = listener.accept(SOON)
    await new Promise((done) => setImmediate(done))
    listener.close()
    expect(listener.closed).toBe(true)
    expect(await rejectionOf(cut)).toMatchObject({ code: 'ERR_CLOSED' })
    expect(await rejectionOf(listener.accept(SOON))).toMatchObject({ code: 'ERR_CLOSED' })
  })

  test.each(['', 'x'.repeat(108), 'a\0b'])('refuses a path that cannot be: %j', async (path) => {
    expect(thrownBy(() => MessageListener.listen(path))).toMatchObject({ code: 'ERR_INVALID_ARGUMENT' })
    expect(await rejectionOf(MessageSocket.connect(path, SOON))).toMatchObject({ code: 'ERR_INVALID_ARGUMENT' })
  })

  test('a connection waits for a listener that has its name already, and not for ever', async () => {
    const path = newPath()
    const left = newSocket()
    const address = socketAddress(path)
    expect(libcCalls.bind(left, address, address.byteLength)).toBe(0)
    const connecting = MessageSocket.connect(path, SOON)
    setTimeout(() => libcCalls.listen(left, 1), 30)
    const near = await connecting
    near.close()
    closeFd(left)
    const started = performance.now()
    expect(await rejectionOf(MessageSocket.connect(path, SOON))).toMatchObject({ errno: Errno.ECONNREFUSED })
    expect(performance.now() - started).toBeLessThan(4000)
  })

  test('a connection to nobody names the path', async () => {
    const before = openCount()
    const path = newPath()
    expect(await rejectionOf(MessageSocket.connect(path, SOON))).toMatchObject({
      code: 'ERR_SYSCALL',
      errno: Errno.ENOENT,
      context: { target: path },
    })
    expect(openCount()).toBe(before)
  })
})
