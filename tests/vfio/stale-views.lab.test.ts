import { spawnSync } from 'node:child_process'
import { type Binding, bindDriver } from '@openbar/pci'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { translating } from '../support/backend-differences.ts'
import { backends } from '../support/backends.ts'
import { nicAddress } from '../support/nics.ts'

const program = new URL('stale-program.ts', import.meta.url).pathname

describe.each(translating(backends))('stale references, on %s', { timeout: 90_000 }, (backend) => {
  const address = nicAddress('e1000e')
  let binding: Binding
  beforeAll(async () => {
    binding = await bindDriver(address, 'vfio-pci')
  })
  afterAll(() => binding.restore())

  it.each([
    'close the window',
    'close the device',
    'unset the domain',
    'memory decoding off',
    'reset',
    'D3hot',
    'close device and domain',
  ])('do no harm: %s', (trigger) => {
    const { status, signal, stdout, stderr } = spawnSync(process.execPath, [program, backend, address, trigger], {
      encoding: 'utf8',
      timeout: 60_000,
    })
    expect({ status, signal, stderr }).toEqual({ status: 0, signal: null, stderr: '' })
    expect(JSON.parse(stdout)).toEqual({
      lengths: [0, 0, 0],
      dataView: 'TypeError',
      atomics: 'thrown',
      harmless: 0,
      worker: { bad: 0, code: 'ERR_CLOSED' },
      calls: 14,
      poisoned: false,
    })
  })
})
