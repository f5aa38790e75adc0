import { describe, expect, it } from 'vitest'
import { BufferAccess } from '../access/buffer-access.ts'
import type { RegisterAccess } from '../access/register-access.ts'
import type { RevocationListener } from '../access/register-memory.ts'
import { WindowAccess } from '../access/window-access.ts'
import { sample } from '../testing/sample-registers.ts'
import { bindRegisters } from './bind-registers.ts'
import { traceAccess } from './trace-access.ts'
import type { TraceEvent } from './trace-event.ts'
import { traceRegisters } from './trace-registers.ts'

const accesses: readonly [string, () => RegisterAccess][] = [
  ['memory', () => new BufferAccess(new Uint8Array(0x60))],
  ['a window onto memory', () => new WindowAccess(new BufferAccess(new Uint8Array(0x80)), 8, 0x60)],
  ['memory that is not aligned', () => new BufferAccess(new Uint8Array(new ArrayBuffer(0x80), 4, 0x60))],
  ['methods', () => traceAccess(new BufferAccess(new Uint8Array(0x60)), sample, () => {})],
]

describe.each(accesses)('traceRegisters, over %s', (_, open) => {
  const start = () => {
    const regs = bindRegisters(sample, open())
    const log: string[] = []
    const sink = ({ operation, register, width, value }: TraceEvent) => {
      log.push(`${operation} ${register} ${width} ${value.toString(16)}`)
    }
    return { regs, log, sink }
  }

  it('tells of each access while it is on, and of none before and after', () => {
    const { regs, log, sink } = start()
    regs.CTRL.write(1)
    const trace = traceRegisters(regs, sink)
    regs.CTRL.write(-1)
    regs.CTRL.clear('FD')
    regs.PORT.write(0x123)
    regs.TAG.write(-1)
    regs.RING.write(-1n)
    regs.RING.read()
    regs.ERRORS.read()
    regs.STATUS.flush()
    regs.FILTER.at(1).set('VALID')
    trace[Symbol.dispose]()
    trace[Symbol.dispose]()
    regs.CTRL.read()
    expect(log).toEqual([
      'write CTRL 32 ffffffff',
      'read CTRL 32 ffffffff',
      'write CTRL 32 fefffffe',
      'write PORT 8 23',
      'write TAG 16 ffff',
      'write RING 64 ffffffffffffffff',
      'read RING 64 ffffffffffffffff',
      'read ERRORS 32 0',
      'read STATUS 32 0',
      'read FILTER[1] 32 0',
      'write FILTER[1] 32 80000000',
    ])
  })

  it('decodes fields, and has room for several sinks', () => {
    const { regs, log, sink } = start()
    const events: TraceEvent[] = []
    using _first = traceRegisters(regs, sink)
    {
      using _second = traceRegisters(regs, (event) => events.push(event))
      regs.STATUS.read()
    }
    regs.STATUS.read()
    expect([events.length, log.length]).toEqual([1, 2])
    expect(events[0]).toMatchObject({ operation: 'read', offset: 4, fields: { LU: false } })
  })

  it('gives registers the methods back that they had', () => {
    const { regs, sink } = start()
    const { read, write } = regs.CTRL
    const trace = traceRegisters(regs, sink)
    expect(regs.CTRL.read).not.toBe(read)
    trace[Symbol.dispose]()
    expect([regs.CTRL.read, regs.CTRL.write]).toEqual([read, write])
  })
})

describe('traceRegisters', () => {
  it('refuses what was not bound, and what cannot be called', () => {
    expect(() => traceRegisters({}, () => {})).toThrow('registers must be what bindRegisters made')
    const regs = bindRegisters(sample, new BufferAccess(new Uint8Array(0x60)))
    // @ts-expect-error no function
    expect(() => traceRegisters(regs, undefined)).toThrow('sink must be a function')
  })
})

describe('registers whose memory is taken away', () => {
  /** Memory that refuses by its methods once it was revoked. */
  const open = () => {
    const memory = new BufferAccess(new Uint8Array(0x60))
    const listeners: RevocationListener[] = []
    let revoked = false
    const refuse = <Value>(value: () => Value): Value => {
      if (revoked) throw new Error('taken away')
      return value()
    }
    const access: RegisterAccess = {
      size: 0x60,
      memory: {
        buffer: memory.bytes.buffer as ArrayBuffer,
        byteOffset: 0,
        checkPresence: () => {},
        whenRevoked: (listener) => listeners.push(listener),
      },
      read8: (at) => refuse(() => memory.read8(at)),
      read16: (at) => refuse(() => memory.read16(at)),
      read32: (at) => refuse(() => memory.read32(at)),
      read64: (at) => refuse(() => memory.read64(at)),
      write8: (at, value) => refuse(() => memory.write8(at, value)),
      write16: (at, value) => refuse(() => memory.write16(at, value)),
      write32: (at, value) => refuse(() => memory.write32(at, value)),
      write64: (at, value) => refuse(() => memory.write64(at, value)),
    }
    const revoke = () => {
      revoked = true
      for (const listener of listeners) listener.revoked()
    }
    return { regs: bindRegisters(sample, access), revoke }
  }

  it('refuse every access, traced or not, and tell no tracer', () => {
    const { regs, revoke } = open()
    const events: TraceEvent[] = []
    const trace = traceRegisters(regs, (event) => events.push(event))
    regs.CTRL.write(1)
    revoke()
    const attempts = () => {
      for (const call of [
        () => regs.CTRL.read(),
        () => regs.CTRL.write(1),
        () => regs.CTRL.set('FD'),
        () => regs.CAUSE.clear('RX'),
        () => regs.STATUS.fields(),
        () => regs.PORT.write(1),
        () => regs.TAG.read(),
        () => regs.RING.write(1n),
        () => regs.FILTER.at(2).read(),
      ]) {
        expect(call).toThrow('taken away')
      }
    }
    attempts()
    trace[Symbol.dispose]()
    attempts()
    expect(events).toHaveLength(1)
  })
})
