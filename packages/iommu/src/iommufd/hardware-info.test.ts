import { asFd } from '@openbar/linux'
import { beforeEach, describe, expect, test, vi } from 'vitest'
import { hardwareInfo } from './hardware-info.ts'

interface Answer {
  readonly type: number
  readonly length: number
  readonly capabilities: bigint
  readonly pasidBits: number
}

const kernel = vi.hoisted(() => ({ answer: {} as Answer, rooms: [] as number[] }))
vi.mock('@openbar/linux', async (original) => ({
  ...(await original<typeof import('@openbar/linux')>()),
  tryIoctl: (_fd: number, _request: unknown, info: Record<string, number | bigint>) => {
    kernel.rooms.push(Number(info['data_len']))
    Object.assign(info, {
      out_data_type: kernel.answer.type,
      data_len: kernel.answer.length,
      out_capabilities: kernel.answer.capabilities,
      out_max_pasid_log2: kernel.answer.pasidBits,
    })
    return 0
  },
}))

describe('hardwareInfo', () => {
  beforeEach(() => {
    kernel.rooms.length = 0
  })

  test('asks again when the registers take more room than there was', () => {
    kernel.answer = { type: 2, length: 100, capabilities: 0n, pasidBits: 0 }
    const info = hardwareInfo(asFd(100), 3)
    expect(kernel.rooms).toEqual([64, 100])
    expect(info).toMatchObject({ type: 'arm-smmuv3', typeNumber: 2, vtd: undefined })
    expect(info.bytes).toHaveLength(100)
  })

  test.each([
    ['dirtyTracking', 1n],
    ['pasidExecute', 2n],
    ['pasidPrivileged', 4n],
  ] as const)('tells %s by its bit', (name, capabilities) => {
    kernel.answer = { type: 4, length: 16, capabilities, pasidBits: 20 }
    const info = hardwareInfo(asFd(100), 3)
    const flags = { dirtyTracking: false, pasidExecute: false, pasidPrivileged: false, [name]: true }
    expect(info).toMatchObject({ type: 'amd', pasidBits: 20, ...flags })
  })

  test('decodes what VT-d tells, also when a newer kernel tells more', () => {
    kernel.answer = { type: 1, length: 40, capabilities: 0n, pasidBits: 0 }
    expect(hardwareInfo(asFd(100), 3)).toMatchObject({ type: 'intel-vtd', vtd: { capability: 0n, domains: 16 } })
  })

  test('gives the number of a type that it has no name for', () => {
    kernel.answer = { type: 77, length: 8, capabilities: 0n, pasidBits: 0 }
    expect(hardwareInfo(asFd(100), 3)).toMatchObject({ type: 'other', typeNumber: 77 })
  })
})
