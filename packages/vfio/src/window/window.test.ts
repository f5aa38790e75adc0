import { mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { asFd, closeFd, type ErrorCode, isOpenbarError, MappedMemory, openFd } from '@openbar/linux'
import { bindRegisters, defineRegisters } from '@openbar/pci'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { FileWindow } from './file-window.ts'
import { MappedWindow } from './mapped-window.ts'
import type { RegisterWindow } from './register-window.ts'
import type { Revocable } from './revocable.ts'
import { SparseWindow } from './sparse-window.ts'
import type { WindowOwner } from './window-owner.ts'

const SIZE = 4096 + 24

const registers = defineRegisters({
  CTRL: { offset: 0, access: 'rw', description: 'Control', fields: { ON: { bit: 0, description: 'On' } } },
  CAUSE: { offset: 4, access: 'rc', description: 'Cause' },
  WIDE: { offset: 8, width: 64, access: 'rw', description: 'Wide' },
  BEYOND: { offset: 0x10_0000, access: 'rw', description: 'Not there' },
})

class Owner implements WindowOwner {
  checks = 0
  readonly closed: Revocable[] = []
  readonly writes: string[] = []
  refuses = false

  checkPresence(): void {
    this.checks += 1
  }

  windowClosed(view: Revocable): void {
    this.closed.push(view)
  }

  explainFailure(): void {
    if (this.refuses) throw new Error('because')
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

const place = { address: '0000:00:02.0', region: 'BAR 0' }

/** A window over a file of zeros, from byte 512 on. */
function fileWindow(access = { readable: true, writable: true }): FileWindow {
  const path = join(directory, 'region')
  writeFileSync(path, new Uint8Array(SIZE + 512))
  return new FileWindow(openFd<'device'>(path), { fileOffset: 512, size: SIZE, ...access }, place, owner)
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
    make: (): TestedWindow => new MappedWindow(MappedMemory.anonymous(8192), SIZE, place, owner),
  },
  {
    name: 'FileWindow',
    make: (): TestedWindow => fileWindow(),
  },
  {
    name: 'SparseWindow, in its mapped part',
    make: (): TestedWindow => {
      const part = { offset: 0, size: SIZE, memory: MappedMemory.anonymous(8192) }
      return new SparseWindow([part], fileWindow(), place, owner)
    },
  },
  {
    name: 'SparseWindow, outside its mapped part',
    make: (): TestedWindow => {
      const part = { offset: 8192, size: 4096, memory: MappedMemory.anonymous(4096) }
      return new SparseWindow([part], fileWindow(), place, owner)
    },
  },
]

type TestedWindow = RegisterWindow & { readonly view: Revocable }

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

  it.each(['', '0', '8', null, undefined, {}, [], [8], true])('refuses what is no number: %j', (given) => {
    const window = make()
    const offset = given as number
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
      expect(codeOf(call)).toBe('ERR_INVALID_ARGUMENT')
    }
  })

  it.each([8n, Symbol('8')])('throws for %s, which JavaScript itself does not take for a number', (given) => {
    const window = make()
    expect(() => window.read32(given as unknown as number)).toThrow()
    expect(() => window.write32(given as unknown as number, 0)).toThrow()
  })

  it('takes the offset -0 for 0', () => {
    const window = make()
    window.write32(-0, 7)
    expect(window.read32(-0)).toBe(7)
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
    expect(owner.closed).toEqual([window.view])
    expect(codeOf(() => window.read32(0))).toBe('ERR_CLOSED')
    expect(codeOf(() => window.write8(0, 1))).toBe('ERR_CLOSED')
    expect(() => window.read32(0)).toThrow('0000:00:02.0, BAR 0')
  })
})

describe('MappedWindow', () => {
  it('has arrays of every width that stop at the end of the region', () => {
    const window = new MappedWindow(MappedMemory.anonymous(8192), SIZE, place, owner)
    window.u64[1] = 0x8877_6655_4433_2211n
    expect([window.u8[8], window.u16[4], window.u32[2]]).toEqual([0x11, 0x2211, 0x4433_2211])
    expect([window.u8, window.u16, window.u32, window.u64].map(({ byteLength }) => byteLength)).toEqual(
      Array.from({ length: 4 }, () => SIZE),
    )
  })

  it('carries bound registers, and refuses their accesses when it was taken away', () => {
    const window = new MappedWindow(MappedMemory.anonymous(8192), SIZE, place, owner)
    const regs = bindRegisters(registers, window)
    const { CAUSE, CTRL, WIDE } = regs
    CTRL.write(0x1234)
    expect([CTRL.read(), window.read32(0)]).toEqual([0x1234, 0x1234])
    window.view.revoke()
    for (const call of [
      () => CTRL.read(),
      () => CTRL.write(1),
      () => CTRL.flush(),
      () => CTRL.set(1),
      () => CAUSE.read(),
      () => WIDE.read(),
      () => WIDE.write(1n),
      () => regs.BEYOND.read(),
      () => bindRegisters(registers, window).CTRL.read(),
    ]) {
      expect(codeOf(call)).toBe('ERR_CLOSED')
    }
  })

  it('refuses reads of bound registers, and loses their writes, when the caller transferred its buffer', () => {
    const window = new MappedWindow(MappedMemory.anonymous(8192), SIZE, place, owner)
    const { CTRL, CAUSE } = bindRegisters(registers, window)
    const stolen = new Uint32Array(window.u32.buffer.transfer())
    expect([codeOf(() => CTRL.read()), codeOf(() => CAUSE.read())]).toEqual(['ERR_CLOSED', 'ERR_CLOSED'])
    CTRL.write(7)
    expect(stolen[0]).toBe(0)
    window.close()
  })

  it('asks for the presence of a device whose register is all ones, where time does not matter', () => {
    const window = new MappedWindow(MappedMemory.anonymous(8192), SIZE, place, owner)
    const { CTRL, WIDE } = bindRegisters(registers, window)
    CTRL.write(0xffff_ffff)
    WIDE.write(-1n)
    CTRL.read()
    expect(owner.checks).toBe(0)
    CTRL.fields()
    CTRL.set(1)
    WIDE.fields()
    expect(owner.checks).toBe(3)
  })

  it('says that it was taken away when the caller has transferred its buffer, and still closes', () => {
    const memory = MappedMemory.anonymous(4096)
    const window = new MappedWindow(memory, 4096, place, owner)
    const stolen = new Uint32Array(memory.buffer.transfer())
    expect(codeOf(() => window.read32(0))).toBe('ERR_CLOSED')
    window.close()
    stolen[0] = 7
    expect(memory.revoked).toBe(true)
    expect(stolen[0]).toBe(7)
  })

  it('has an array that becomes empty when it is closed', () => {
    const window = new MappedWindow(MappedMemory.anonymous(4096), 4096, place, owner)
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
    for (const array of ['u8', 'u16', 'u32', 'u64'] as const) expect(() => window[array]).toThrow('read32')
    expect(() => window.u32).toThrow(expect.objectContaining({ code: 'ERR_REGION', context: place }))
  })

  it('refuses to write what can only be read, and to read what can only be written, without asking the kernel', () => {
    const rom = fileWindow({ readable: true, writable: false })
    expect(rom.read32(0)).toBe(0)
    expect(() => rom.write32(0, 1)).toThrow('0000:00:02.0, BAR 0 can only be read.')
    expect(codeOf(() => rom.write8(0, 1))).toBe('ERR_REGION')
    expect(owner.writes).toEqual([])
    const port = fileWindow({ readable: false, writable: true })
    port.write32(0, 1)
    expect(() => port.read32(0)).toThrow('can only be written')
  })

  it('lets its owner say why the kernel refused', () => {
    const path = join(directory, 'short')
    writeFileSync(path, new Uint8Array(8))
    const region = { fileOffset: 0, size: 64, readable: true, writable: true }
    const window = new FileWindow(openFd<'device'>(path), region, place, owner)
    expect(() => window.read32(16)).toThrow(/EIO/)
    owner.refuses = true
    expect(() => window.read32(16)).toThrow('because')
  })

  it('names the errno of a file that cannot be written', () => {
    const path = join(directory, 'read-only')
    writeFileSync(path, new Uint8Array(64))
    const fd = asFd<'device'>(openSync(path, 'r'))
    const window = new FileWindow(fd, { fileOffset: 0, size: 64, readable: true, writable: true }, place, owner)
    expect(window.read32(0)).toBe(0)
    expect(() => window.write32(0, 1)).toThrow(/pwrite on 0000:00:02.0, BAR 0 failed: EBADF/)
    closeFd(fd)
  })
})

describe('SparseWindow', () => {
  const make = () => {
    const memory = MappedMemory.anonymous(4096)
    return { memory, window: new SparseWindow([{ offset: 4096, size: 24, memory }], fileWindow(), place, owner) }
  }

  it('goes to memory for what is mapped, and to the file for all else', () => {
    const { memory, window } = make()
    window.write32(4092, 0x1111)
    window.write32(4096, 0x2222)
    expect([window.read32(4092), window.read32(4096)]).toEqual([0x1111, 0x2222])
    expect(new Uint32Array(memory.buffer)[0]).toBe(0x2222)
    expect(owner.writes).toEqual(['4092: 11110000'])
    window.close()
  })

  it('says that it is gone when the caller transferred the buffer of a part', () => {
    const { memory, window } = make()
    memory.buffer.transfer()
    expect(codeOf(() => window.read32(4096))).toBe('ERR_CLOSED')
    expect(codeOf(() => window.write32(4096, 1))).toBe('ERR_CLOSED')
    expect(window.read32(0)).toBe(0)
    window.close()
    expect(memory.revoked).toBe(true)
  })

  it('has no arrays, and no memory for bound registers, which work all the same', () => {
    const { window } = make()
    expect(codeOf(() => window.u32)).toBe('ERR_REGION')
    const { CTRL } = bindRegisters(registers, window)
    CTRL.write(5)
    expect(CTRL.read()).toBe(5)
    window.close()
    expect(codeOf(() => CTRL.write(5))).toBe('ERR_CLOSED')
  })
})
