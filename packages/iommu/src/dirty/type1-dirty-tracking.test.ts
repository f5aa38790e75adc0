import { asFd, Errno, infoCapabilities } from '@openbar/linux'
import { beforeEach, describe, expect, test, vi } from 'vitest'
import { thrownBy } from '../testing/thrown-by.ts'
import { Type1DirtyTracking } from './type1-dirty-tracking.ts'

const kernel = vi.hoisted(() => ({
  /** The answer to GET_INFO: a struct with its capabilities, or a negative errno. */
  info: 0 as number | { flags: number; cap_offset: number; bytes: Uint8Array },
  /** What DIRTY_PAGES answers, by flag. */
  answers: new Map<number, number>(),
  flags: [] as number[],
}))
vi.mock('@openbar/linux', async (original) => ({
  ...(await original<typeof import('@openbar/linux')>()),
  tryQueryInfo: () => kernel.info,
  tryIoctl: (_fd: number, _request: unknown, { flags }: { flags: number }) => {
    kernel.flags.push(flags)
    return kernel.answers.get(flags) ?? 0
  },
}))

const START = 1
const STOP = 2
const GET_BITMAP = 4

/** An answer of GET_INFO with a capability of the given kind behind the 24 bytes of the struct. */
function infoWith(capability: number) {
  const bytes = new Uint8Array(24 + 32)
  const view = new DataView(bytes.buffer)
  view.setUint16(24, capability, true)
  view.setBigUint64(24 + 16, 0x1000n, true)
  expect(infoCapabilities(bytes, 24)).toHaveLength(1)
  return { flags: 2, cap_offset: 24, bytes }
}

describe('Type1DirtyTracking', () => {
  const tracking = () => new Type1DirtyTracking(asFd(100))

  beforeEach(() => {
    Object.assign(kernel, { info: infoWith(2), answers: new Map(), flags: [] })
  })

  test('starts, reads and stops, each once', () => {
    const dirty = tracking()
    dirty.start()
    dirty.start()
    expect(dirty.read(0x1000, 4096)).toEqual([])
    dirty.stop()
    dirty.stop()
    expect(kernel.flags).toEqual([START, GET_BITMAP, STOP])
    expect(dirty.on).toBe(false)
  })

  test('is not there in a kernel without the capability', () => {
    kernel.info = infoWith(1)
    expect(thrownBy(() => tracking().start())).toMatchObject({
      code: 'ERR_NOT_SUPPORTED',
      context: { what: 'dirty tracking' },
    })
    expect(kernel.flags).toEqual([])
  })

  test('wants a device in the container', () => {
    kernel.info = -Errno.EINVAL
    expect(thrownBy(() => tracking().start())).toMatchObject({
      code: 'ERR_DOMAIN_STATE',
      context: { state: 'without a device' },
    })
  })

  test('refuses to read while it is off, and what is no whole page, before the kernel is asked', () => {
    const dirty = tracking()
    expect(thrownBy(() => dirty.read(0x1000, 4096)).code).toBe('ERR_DOMAIN_STATE')
    dirty.start()
    expect(thrownBy(() => dirty.read(0x1000, 2048)).code).toBe('ERR_IOVA_ALIGNMENT')
    expect(kernel.flags).toEqual([START])
  })

  test("tells a cut mapping from a container whose last device has left; either is the kernel's EINVAL", () => {
    const dirty = tracking()
    dirty.start()
    kernel.answers.set(GET_BITMAP, -Errno.EINVAL)
    expect(thrownBy(() => dirty.read(0x1000, 4096))).toMatchObject({ code: 'ERR_NOT_MAPPED', errno: Errno.EINVAL })
    kernel.info = -Errno.EINVAL
    expect(thrownBy(() => dirty.read(0x1000, 4096)).code).toBe('ERR_DOMAIN_STATE')
  })

  test('stops without complaint after the last device has left', () => {
    const dirty = tracking()
    dirty.start()
    kernel.answers.set(STOP, -Errno.EINVAL)
    dirty.stop()
    expect(dirty.on).toBe(false)
  })
})
