import { OpenbarError } from '@openbar/linux'
import { BufferAccess } from '@openbar/pci'
import { describe, expect, it } from 'vitest'
import { LowPower } from './low-power.ts'
import { Power } from './power.ts'

describe('the power of a device without that capability', () => {
  it('is not told of, nor changed, once the device cannot be reached', () => {
    const address = '0000:00:02.0'
    let there = true
    const reach = <Value>(value: Value): Value => {
      if (there) return value
      throw new OpenbarError('ERR_NO_DOMAIN', { message: `${address} is in no domain.`, context: { address } })
    }
    const config = new BufferAccess(new Uint8Array(256))
    const power = new Power({
      address,
      get fd(): never {
        throw new Error('There is no device here.')
      },
      get config() {
        return reach(config)
      },
      keeper: {},
      lowPower: new LowPower(address),
      quiesce: () => {},
    })
    expect(power.state).toBe('D0')
    power.enter('D0')
    there = false
    expect(() => power.state).toThrow('is in no domain')
    expect(() => power.enter('D0')).toThrow('is in no domain')
  })
})
