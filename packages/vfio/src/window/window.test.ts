import { mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { asFd, closeFd, type ErrorCode, isOpenbarError, MappedMemory, openFd } from '@openbar/linux'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { FileWindow } from './file-window.ts'
import { MappedWindow, type WindowOwner } from './mapped-window.ts'
import type { RegisterWindow } from './register-window.ts'
import type { Revocable } from './revocable.ts'

const SIZE = 4096 + 24

class Owner implements WindowOwner {
  checks = 0
  readonly closed: Revocable[] = []
  readonly writes: string[] = []
  refuses = false

  checkPresence(): void {
    this.checks += 1
  }

  windowClosed(window: Revocable): void {
    this.closed.push(window)
  }

  beforeWrite(offset: number, bytes: DataView): void {
    if (this.refuses) throw new Error('refused')
    this.writes.push(`${offset}: ${Buffer.from(bytes.buffer).toString('hex')}`)
  }
}

function codeOf(call: () => unknown): ErrorCode | 'nothing' {
  try {
    call()
  } catch (error) {
    if (isOpenbarError(error)) return error.code
    throw error
  }
  return 'nothing'
}

let directory: string
let owner: Owner
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'openbar-window-'))
  owner = new Owner()
})
afterEach(() => rmSync(directory, { recursive: true }))

const makers = [
  {
    name: 'MappedWindow',
    make: (): RegisterWindow => new MappedWindow(MappedMemory.anonymous(8192), SIZE, '0000:00:02.0, BAR 0', owner),
  },
  {
    name: 'FileWindow',
    make: (): RegisterWindow => {
      const path = join(directory, 'region')
      writeFileSync(path, new Uint8Array(SIZE + 512))
      return new FileWindow(openFd<'device'>(path), 512, SIZE, '0000:00:02.0, BAR 0', owner)
    },
  },
]

describe.each(makers)('$name', ({ make }) => {
  it('reads what it wrote, in every width, little-endian', () => {
    const window = make()
    window.write64(8, 0x8877_6655_4433_2211n)
    expect(window.read64(8)).toBe(0x8877_6655_4433_2211n)
    expect([window.read32(8), window.read32(12)]).toEqual([0x4433_2211, 0x8877_6655])
    expect([window.read16(8), window.read16(14)]).toEqual([0x2211, 0x8877])
    expect([window.read8(8), window.read8(15)]).toEqual([0x11, 0x88])
    window.write32(8, 0xffff_fffe)
    window.write16(12, 0xabcd)
    window.write8(15, 0xee)
    expect(window.read64(8)).toBe(0xee77_abcd_ffff_fffen)
  })

  it('reaches its last bytes and nothing behind them', () => {
    const window = make()
    window.write64(SIZE - 8, 1n)
    expect(window.read64(SIZE - 8)).toBe(1n)
    expect(codeOf(() => window.read8(SIZE))).toBe('ERR_OUT_OF_BOUNDS')
    expect(codeOf(() => window.read16(SIZE))).toBe('ERR_OUT_OF_BOUNDS')
    expect(codeOf(() => window.read32(SIZE))).toBe('ERR_OUT_OF_BOUNDS')
    expect(codeOf(() => window.read64(SIZE))).toBe('ERR_OUT_OF_BOUNDS')
    expect(codeOf(() => window.write32(SIZE, 0))).toBe('ERR_OUT_OF_BOUNDS')
  })

  it.each([-4, 2 ** 32, 2 ** 53, Number.NaN, Number.POSITIVE_INFINITY])('refuses the offset %d', (offset) => {
    const window = make()
    for (const call of [
      () => window.read8(offset),
      () => window.read16(offset),
      () => window.read32(offset),
      () => window.read64(offset),
      () => window.write8(offset, 0),
      () => window.write16(offset, 0),
      () => window.write32(offset, 0),
      () => window.write64(offset, 0n),
    ]) {
      expect(codeOf(call)).toBe(Number.isInteger(offset) ? 'ERR_OUT_OF_BOUNDS' : 'ERR_INVALID_ARGUMENT')
    }
  })

  it('refuses misaligned and fractional offsets', () => {
    const window = make()
    expect(codeOf(() => window.read16(1))).toBe('ERR_MISALIGNED')
    expect(codeOf(() => window.read32(2))).toBe('ERR_MISALIGNED')
    expect(codeOf(() => window.write64(4, 0n))).toBe('ERR_MISALIGNED')
    expect(codeOf(() => window.read32(0.5))).toBe('ERR_INVALID_ARGUMENT')
    expect(codeOf(() => window.read8(0.5))).toBe('ERR_INVALID_ARGUMENT')
  })

  it('asks whether the device is still there when a read is all ones, and only then', () => {
    const window = make()
    window.write64(0, 0xffff_ffff_ffff_ffffn)
    window.read32(8)
    window.write32(16, 0xffff_fffe)
    window.read32(16)
    expect(owner.checks).toBe(0)
    window.read8(0)
    window.read16(0)
    window.read32(0)
    window.read64(0)
    expect(owner.checks).toBe(4)
  })

  it('throws after it was closed, names itself, and tells its owner once', () => {
    const window = make()
    window.close()
    window.close()
    expect(window.closed).toBe(true)
    expect(owner.closed).toEqual([window])
    expect(codeOf(() => window.read32(0))).toBe('ERR_CLOSED')
    expect(codeOf(() => window.write8(0, 1))).toBe('ERR_CLOSED')
    expect(() => window.read32(0)).toThrow('0000:00:02.0, BAR 0')
  })
})

describe('MappedWindow', () => {
  it('says that it was taken away when the caller has transferred its buffer, and still closes', () => {
    const memory = MappedMemory.anonymous(4096)
    const window = new MappedWindow(memory, 4096, 'BAR 0', owner)
    const stolen = new Uint32Array(memory.buffer.transfer())
    expect(codeOf(() => window.read32(0))).toBe('ERR_CLOSED')
    window.close()
    stolen[0] = 7
    expect(memory.revoked).toBe(true)
    expect(stolen[0]).toBe(7)
  })

  it('has an array that becomes empty when it is closed', () => {
    const window = new MappedWindow(MappedMemory.anonymous(4096), 4096, 'BAR 0', owner)
    const words = window.u32
    words[1] = 7
    expect(window.read32(4)).toBe(7)
    window.close()
    expect(words.length).toBe(0)
    expect(words[1]).toBeUndefined()
    expect(codeOf(() => window.u32)).toBe('ERR_CLOSED')
  })
})

describe('FileWindow', () => {
  it('tells its owner of each write before it is made, and not of one that is refused', () => {
    const window = makers[1]!.make()
    window.write8(5, 0x12)
    window.write16(6, 0x1234)
    window.write32(8, 0x1234_5678)
    window.write64(16, 1n)
    expect(codeOf(() => window.write32(2, 0))).toBe('ERR_MISALIGNED')
    expect(owner.writes).toEqual(['5: 12', '6: 3412', '8: 78563412', '16: 0100000000000000'])
    owner.refuses = true
    expect(() => window.write8(5, 0)).toThrow('refused')
    expect(window.read8(5)).toBe(0x12)
  })

  it('has no array, and says what to use', () => {
    const window = makers[1]!.make()
    expect(() => window.u32).toThrow('read32')
  })

  it('names the errno of a file that cannot be written', () => {
    const path = join(directory, 'read-only')
    writeFileSync(path, new Uint8Array(64))
    const fd = asFd<'device'>(openSync(path, 'r'))
    const window = new FileWindow(fd, 0, 64, 'BAR 1', owner)
    expect(window.read32(0)).toBe(0)
    expect(() => window.write32(0, 1)).toThrow(/pwrite on BAR 1 failed: EBADF/)
    closeFd(fd)
  })
})
