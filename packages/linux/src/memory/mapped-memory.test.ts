import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { EventFd } from '../events/event-fd.ts'
import { asFd, openFd } from '../fd.ts'
import { runChild } from '../testing/run-child.ts'
import { temporaryDirectory } from '../testing/temporary-directory.ts'
import { thrownBy } from '../testing/thrown-by.ts'
import { MappedMemory } from './mapped-memory.ts'
import { PAGE_SIZE } from './page-size.ts'

const root = temporaryDirectory()
let count = 0

/** A file whose pages are filled with their number. */
function file(bytes: number): string {
  count += 1
  const path = join(root, `file-${count}`)
  writeFileSync(
    path,
    new Uint8Array(bytes).map((_, index) => Math.floor(index / PAGE_SIZE) + 1),
  )
  return path
}

function mapped(path: string, offset: number, size: number): MappedMemory {
  const fd = openFd<'file'>(path)
  try {
    return MappedMemory.fromFd(fd, { offset, size, readable: true, writable: true, what: path })
  } finally {
    closeSync(fd)
  }
}

describe('MappedMemory.anonymous', () => {
  test('is zeroed, writable and page-aligned', () => {
    const memory = MappedMemory.anonymous(3 * PAGE_SIZE)
    const bytes = new Uint8Array(memory.buffer)
    expect(bytes.byteLength).toBe(3 * PAGE_SIZE)
    expect(bytes.every((byte) => byte === 0)).toBe(true)
    expect(memory.address % PAGE_SIZE).toBe(0)
    expect(memory.address).toBeGreaterThan(0)

    bytes[3 * PAGE_SIZE - 1] = 7
    expect(new Uint8Array(memory.buffer).at(-1)).toBe(7)
    memory.revoke()
  })

  test('gives the same buffer for as long as one of its views is held', () => {
    const memory = MappedMemory.anonymous(PAGE_SIZE)
    expect(memory.buffer).toBe(memory.buffer)
    const view = new Uint8Array(memory.buffer)
    expect(memory.buffer).toBe(view.buffer)
    memory.revoke()
  })

  test.each([0, -PAGE_SIZE, PAGE_SIZE + 1, 100, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53])(
    'refuses %d bytes',
    (size) => {
      expect(thrownBy(() => MappedMemory.anonymous(size))).toMatchObject({
        code: 'ERR_INVALID_ARGUMENT',
        context: { argument: 'size', value: size },
      })
    },
  )

  test('says what could not be had when the system has no room', () => {
    const size = 2 ** 50
    const error = thrownBy(() => MappedMemory.anonymous(size))
    expect(error).toMatchObject({ code: 'ERR_SYSCALL', syscall: 'mmap' })
    expect(error.message).toContain(`${size} bytes of anonymous memory`)
  })
})

describe('MappedMemory.fromFd', () => {
  test('shares a file: both ways, from the offset on', () => {
    const path = file(3 * PAGE_SIZE)
    const memory = mapped(path, PAGE_SIZE, 2 * PAGE_SIZE)
    const bytes = new Uint8Array(memory.buffer)
    expect([bytes[0], bytes[PAGE_SIZE]]).toEqual([2, 3])
    bytes[1] = 0xab
    expect(readFileSync(path)[PAGE_SIZE + 1]).toBe(0xab)
    memory.revoke()
  })

  test('maps a last page that the file fills in part', () => {
    const memory = mapped(file(PAGE_SIZE + 1), 0, 2 * PAGE_SIZE)
    expect(new Uint8Array(memory.buffer)[2 * PAGE_SIZE - 1]).toBe(0)
    memory.revoke()
  })

  test('refuses pages beyond the end, whose touch would kill the process', () => {
    const path = file(PAGE_SIZE)
    const error = thrownBy(() => mapped(path, 0, 2 * PAGE_SIZE))
    expect(error).toMatchObject({ code: 'ERR_INVALID_ARGUMENT', context: { argument: 'size' } })
    expect(error.message).toContain(path)
    expect(thrownBy(() => mapped(path, PAGE_SIZE, PAGE_SIZE)).code).toBe('ERR_INVALID_ARGUMENT')
  })

  test('refuses what cannot be written, for JavaScript has no read-only buffers', () => {
    const fd = asFd<'file'>(openSync(file(PAGE_SIZE), 'r'))
    const options = { offset: 0, size: PAGE_SIZE, readable: true, writable: false, what: 'the ROM' }
    expect(thrownBy(() => MappedMemory.fromFd(fd, options))).toMatchObject({
      code: 'ERR_INVALID_ARGUMENT',
      context: { argument: 'writable', value: false },
    })
    closeSync(fd)
  })

  test.each([-PAGE_SIZE, 1, 0.5, Number.NaN, 2 ** 53])('refuses offset %d', (offset) => {
    expect(thrownBy(() => mapped(file(PAGE_SIZE), offset, PAGE_SIZE))).toMatchObject({
      code: 'ERR_INVALID_ARGUMENT',
      context: { argument: 'offset', value: offset },
    })
  })

  test('names what could not be mapped when the system refuses', () => {
    using event = new EventFd()
    const options = { offset: 0, size: PAGE_SIZE, readable: true, writable: true, what: '0000:00:02.0, BAR 0' }
    const error = thrownBy(() => MappedMemory.fromFd(event.fd, options))
    expect(error).toMatchObject({ code: 'ERR_SYSCALL', syscall: 'mmap', context: { target: '0000:00:02.0, BAR 0' } })
  })
})

describe('MappedMemory.revoke', () => {
  test('empties every view: reads are undefined, writes go nowhere, methods throw', () => {
    const path = file(PAGE_SIZE)
    const memory = mapped(path, 0, PAGE_SIZE)
    const { buffer } = memory
    const words = new Uint32Array(buffer)
    const bytes = new Uint8Array(buffer, 16, 16)
    const view = new DataView(buffer)
    expect(memory.revoked).toBe(false)
    memory.revoke()
    expect(memory.revoked).toBe(true)
    expect([words.length, bytes.length, buffer.byteLength]).toEqual([0, 0, 0])
    expect([words[0], bytes[0]]).toEqual([undefined, undefined])
    words[0] = 0xffff_ffff
    expect(readFileSync(path)[0]).toBe(1)
    expect(() => view.getUint32(0)).toThrow(TypeError)
    expect(() => Atomics.load(words, 0)).toThrow()
    expect(() => words.fill(0)).toThrow(TypeError)
  })

  test('makes the buffer unreachable, saying what is gone', () => {
    const memory = mapped(file(PAGE_SIZE), 0, PAGE_SIZE)
    memory.revoke()
    const error = thrownBy(() => memory.buffer)
    expect(error.code).toBe('ERR_CLOSED')
    expect(error.message).toContain(root)
  })

  test('does nothing the second time, even when the range has come to hold something', () => {
    const memory = MappedMemory.anonymous(PAGE_SIZE)
    memory.revoke()
    expect(() => memory.revoke()).not.toThrow()
  })

  test('never gives the range out again', () => {
    const revoked = Array.from({ length: 50 }, () => {
      const memory = MappedMemory.anonymous(PAGE_SIZE)
      memory.revoke()
      return memory.address
    })
    expect(new Set(revoked).size).toBe(50)
  })

  test('leaves another mapping of the same file alone', () => {
    const path = file(PAGE_SIZE)
    const [one, two] = [mapped(path, 0, PAGE_SIZE), mapped(path, 0, PAGE_SIZE)]
    one.revoke()
    expect(new Uint8Array(two.buffer)[0]).toBe(1)
    two.revoke()
  })
})

// Each of these reaches memory after it was taken away. What must not happen is a crash, so each has a process of its own.
describe('what still points at revoked memory', () => {
  const prelude = (path: string) => `
    import { deflate } from 'node:zlib'
    import { open, read, write, writeSync } from 'node:fs'
    import { MappedMemory } from '${import.meta.resolve('./mapped-memory.ts')}'
    import { libcCalls } from '${import.meta.resolve('../ffi/libc.ts')}'
    import { openFd, closeFd } from '${import.meta.resolve('../fd.ts')}'
    const size = 32 * 1024 * 1024
    const fd = openFd(${JSON.stringify(path)})
    const memory = MappedMemory.fromFd(fd, { offset: 0, size, readable: true, writable: true, what: 'the file' })
  `
  const run = (source: string) => {
    const path = file(32 * 1024 * 1024)
    return { ...runChild(prelude(path) + source), path }
  }

  test('the tests below see a crash: a bare munmap under a transferred view', () => {
    const { signal } = run(`
      const kept = new Uint8Array(memory.buffer.transfer())
      libcCalls.munmap(memory.address, memory.size)
      console.log(kept[0])
    `)
    expect(signal).toBe('SIGSEGV')
  })

  test('a view that the caller had transferred away reads zeros and writes nowhere', () => {
    const { signal, status, stdout, stderr, path } = run(`
      const kept = new Uint8Array(memory.buffer.transfer())
      console.log(kept[0])
      memory.revoke()
      console.log(kept[0], kept.length)
      kept.fill(0xee)
      console.log(kept[size - 1])
    `)
    expect({ signal, status, stderr }).toEqual({ signal: null, status: 0, stderr: '' })
    expect(stdout).toBe(`1\n0 ${32 * 1024 * 1024}\n238\n`)
    expect(readFileSync(path)[0]).toBe(1)
  })

  test('a pending zlib call ends without a crash', () => {
    const { signal, status, stdout } = run(`
      deflate(new Uint8Array(memory.buffer), { chunkSize: 1 << 20 }, (error, result) => console.log(error ?? result.length > 0))
      memory.revoke()
      console.log('revoked')
    `)
    expect({ signal, status }).toEqual({ signal: null, status: 0 })
    expect(stdout).toBe('revoked\ntrue\n')
  })

  test('a zlib call that comes back for more input gets an exception of Node, and no crash', () => {
    const { signal, stdout } = run(`
      process.on('uncaughtException', (error) => console.log(error.code))
      deflate(new Uint8Array(memory.buffer), (error, result) => console.log(error ?? result.length > 0))
      memory.revoke()
      console.log('revoked')
    `)
    expect(signal).toBeNull()
    expect(stdout).toBe('revoked\nERR_OUT_OF_RANGE\n')
  })

  test('pending fs calls end without a crash, and a read into it reaches nobody', () => {
    const { signal, status, stdout, path } = run(`
      const bytes = new Uint8Array(memory.buffer)
      read(openFd('/dev/zero'), bytes, 0, size, null, (error, count) => console.log('read', error ?? count === size))
      write(openFd('/dev/null'), bytes, 0, size, null, (error, count) => console.log('write', error ?? count === size))
      memory.revoke()
      console.log('revoked')
    `)
    expect({ signal, status }).toEqual({ signal: null, status: 0 })
    expect(stdout.trim().split('\n').sort()).toEqual(['read true', 'revoked', 'write true'])
    expect(readFileSync(path).at(-1)).toBe(((32 * 1024 * 1024) / PAGE_SIZE) % 256)
  })

  test('optimised code that goes on over the views ends without a crash', () => {
    const { signal, status, stdout } = run(`
      const words = new Uint32Array(memory.buffer)
      const sum = () => { let total = 0; for (let i = 0; i < 1000; i += 1) total += words[i] ?? 0; return total }
      for (let i = 0; i < 20000; i += 1) sum()
      memory.revoke()
      console.log(sum())
    `)
    expect({ signal, status }).toEqual({ signal: null, status: 0 })
    expect(stdout).toBe('0\n')
  })

  test('a buffer that nobody holds is collected, and the next one is of the same memory', () => {
    const { signal, status, stdout } = runChild(
      `
      import { MappedMemory } from '${import.meta.resolve('./mapped-memory.ts')}'
      const memory = MappedMemory.anonymous(4096)
      let collected = 0
      const registry = new FinalizationRegistry(() => { collected += 1 })
      const touch = (value) => {
        const bytes = new Uint8Array(memory.buffer)
        registry.register(bytes.buffer)
        return (bytes[0] += value)
      }
      const sums = []
      for (let i = 0; i < 5; i += 1) {
        sums.push(touch(1))
        await new Promise((resolve) => setTimeout(resolve, 5))
        gc()
        await new Promise((resolve) => setTimeout(resolve, 5))
      }
      const last = new Uint8Array(memory.buffer)
      memory.revoke()
      console.log(sums.join(), collected >= 4, last.length)
    `,
      ['--expose-gc'],
    )
    expect({ signal, status }).toEqual({ signal: null, status: 0 })
    expect(stdout).toBe('1,2,3,4,5 true 0\n')
  })

  test('a buffer that is collected after its memory was revoked', () => {
    const { signal, status } = runChild(
      `
      import { MappedMemory } from '${import.meta.resolve('./mapped-memory.ts')}'
      for (let i = 0; i < 200; i += 1) {
        const memory = MappedMemory.anonymous(4096)
        new Uint8Array(memory.buffer).fill(1)
        memory.revoke()
        if (i % 20 === 0) gc()
      }
      await new Promise((resolve) => setTimeout(resolve, 10))
      gc()
    `,
      ['--expose-gc'],
    )
    expect({ signal, status }).toEqual({ signal: null, status: 0 })
  })
})
