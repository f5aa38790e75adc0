import { closeFd, Errno, type Fd, isOpenbarError, openFd, type StructView } from '@openbar/linux'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import type { Revocable } from '../window/revocable.ts'
import { DmaLogging } from './dma-logging.ts'
import type { FeatureOwner } from './feature-owner.ts'
import { Migration } from './migration.ts'

/** A kernel whose driver answers features as the tests tell it to. */
type Answer = (data: DataView, flags: number) => number
const GET = 1 << 16
const SET = 1 << 17
const PROBE = 1 << 18
const features = new Map<number, Answer>()
const asked: { feature: number; flags: number; data: string }[] = []

vi.mock('@openbar/linux', async (original) => ({
  ...(await original<typeof import('@openbar/linux')>()),
  tryIoctl: (_fd: number, _request: unknown, { bytes, view }: StructView) => {
    const flags = view.getUint32(4, true)
    const answer = features.get(flags & 0xffff)
    expect(view.getUint32(0, true)).toBe(bytes.byteLength)
    if (answer === undefined) return -Errno.ENOTTY
    const data = new DataView(bytes.buffer, bytes.byteOffset + 8, bytes.byteLength - 8)
    if ((flags & PROBE) === 0) {
      asked.push({ feature: flags & 0xffff, flags, data: Buffer.from(bytes.subarray(8)).toString('hex') })
    }
    return answer(data, flags)
  },
}))

const views = new Set<Revocable>()
const owner: FeatureOwner = {
  address: '0000:00:02.0',
  fd: 99 as Fd<'device'>,
  keeper: {},
  windowOpened: (view) => views.add(view),
  windowClosed: (view) => views.delete(view),
}

beforeEach(() => {
  features.clear()
  asked.length = 0
  views.clear()
})

const le64 = (...values: bigint[]) => Buffer.from(BigUint64Array.from(values).buffer).toString('hex')

describe('Migration', () => {
  const migration = new Migration(owner)
  const STOP_COPY_AND_PRE_COPY = 0b101n

  function migratable(flags: bigint, setState: Answer = () => 0): void {
    features.set(1, (data, asking) => {
      if ((asking & SET) !== 0) return -Errno.EINVAL
      if ((asking & PROBE) === 0) data.setBigUint64(0, flags, true)
      return 0
    })
    features.set(2, setState)
  }

  it('has what the flags say', () => {
    expect(migration.support).toBeUndefined()
    migratable(0b001n)
    expect(migration.support).toEqual({ p2p: false, preCopy: false })
    migratable(0b111n)
    expect(migration.support).toEqual({ p2p: true, preCopy: true })
    migratable(0n)
    expect(migration.support).toBeUndefined()
  })

  it('reads the state by its number', () => {
    for (const [number, state] of Object.entries(['error', 'stop', 'running', 'stopCopy', 'resuming', 'runningP2p'])) {
      features.set(2, (data) => {
        data.setUint32(0, Number(number), true)
        data.setInt32(4, -1, true)
        return 0
      })
      expect(migration.state).toBe(state)
    }
    features.set(2, (data) => {
      data.setUint32(0, 99, true)
      return 0
    })
    expect(() => migration.state).toThrow('state 99')
  })

  it('sets a state, and gives the stream that it begins to its owner', () => {
    let stream: Fd<'file'> | undefined
    migratable(STOP_COPY_AND_PRE_COPY, (data) => {
      stream = openFd('/dev/null')
      data.setInt32(4, stream, true)
      return 0
    })
    const opened = migration.setState('preCopy')
    expect(asked.at(-1)).toEqual({ feature: 2, flags: 2 | SET, data: '06000000ffffffff' })
    expect(opened?.fd).toBe(stream)
    expect(views.size).toBe(1)
    for (const view of views) view.revoke()
    expect(opened?.closed).toBe(true)
    expect(() => opened?.fd).toThrow('closed')
    expect(() => closeFd(stream!)).toThrow('EBADF')
    opened?.close()
  })

  it('sets a state that begins no stream', () => {
    migratable(STOP_COPY_AND_PRE_COPY)
    expect(migration.setState('running')).toBeUndefined()
    expect(views.size).toBe(0)
  })

  it('refuses a state that the device does not have, before it is asked', () => {
    migratable(STOP_COPY_AND_PRE_COPY)
    asked.length = 0
    for (const state of ['runningP2p', 'preCopyP2p'] as const) {
      expect(() => migration.setState(state)).toThrow(`no migration state ${state}`)
    }
    expect(asked.filter(({ feature }) => feature === 2)).toEqual([])
  })

  it('says what the kernel refuses of what it has', () => {
    migratable(STOP_COPY_AND_PRE_COPY, (_, flags) => ((flags & PROBE) === 0 ? -Errno.EINVAL : 0))
    expect(() => migration.setState('stop')).toThrow(/VFIO_DEVICE_FEATURE, migration.*EINVAL/)
  })

  it('reads the size of the state', () => {
    features.set(9, (data) => {
      data.setBigUint64(0, 1n << 40n, true)
      return 0
    })
    expect(migration.stopCopySize).toBe(1n << 40n)
  })
})

describe('DmaLogging', () => {
  const logging = new DmaLogging(owner)

  it('starts with the page size that the device takes', () => {
    features.set(6, (data, flags) => {
      if ((flags & PROBE) !== 0) return 0
      data.setBigUint64(0, 65_536n, true)
      return 0
    })
    expect(logging.supported).toBe(true)
    const ranges = [
      { iova: 0x1000n, size: 4096 },
      { iova: 2n ** 63n, size: 8192 },
    ]
    expect(logging.start({ ranges })).toBe(65_536)
    const [{ flags, data } = { flags: 0, data: '' }] = asked
    expect(flags).toBe(6 | SET)
    // Page size, the number of ranges, and a pointer to them.
    expect(data.slice(0, 32)).toBe(`${le64(4096n)}0200000000000000`)
    expect(BigInt(`0x${data.slice(32)}`)).toBeGreaterThan(0n)
  })

  it('reports into words of 64 bits', () => {
    features.set(8, () => 0)
    const bitmap = logging.report({ iova: 0x10_0000n, size: 65 * 4096 })
    expect(bitmap.bits).toHaveLength(4)
    expect(asked[0]?.flags).toBe(8 | GET)
    expect(asked[0]?.data.slice(0, 48)).toBe(le64(0x10_0000n, 65n * 4096n, 4096n))
  })

  it('stops, and is not here when the driver says so', () => {
    expect(() => logging.stop()).toThrow('has no DMA logging')
    features.set(7, () => 0)
    logging.stop()
    expect(asked).toEqual([{ feature: 7, flags: 7 | SET, data: '' }])
  })

  it('says which refusals are not about the feature', () => {
    features.set(7, (_, flags) => ((flags & PROBE) === 0 ? -Errno.EINVAL : 0))
    try {
      logging.stop()
      expect.unreachable()
    } catch (error) {
      expect(isOpenbarError(error, 'ERR_SYSCALL')).toBe(true)
    }
  })
})
