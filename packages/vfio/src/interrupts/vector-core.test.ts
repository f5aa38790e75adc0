import { closeSync, fstatSync, writeSync } from 'node:fs'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { isOpenbarError } from '@openbar/linux'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { InterruptVector } from './interrupt-vector.ts'
import { type VectorControl, VectorCore } from './vector-core.ts'

/** INTx as the kernel has it: a delivery masks, and a pending one comes again on unmasking. */
class Line implements VectorControl {
  readonly what = '0000:00:02.0, INTx vector 0'
  readonly intx = true
  asserted = false
  kernelMasked = false
  core: VectorCore | undefined

  assert(): void {
    this.asserted = true
    this.#deliver()
  }
  mask(): void {
    this.kernelMasked = true
  }
  unmask(): void {
    this.kernelMasked = false
    this.#deliver()
  }
  trigger(): void {
    this.#signal()
  }
  arm(): void {}
  silentBecause(): undefined {}

  #deliver(): void {
    if (!this.asserted || this.kernelMasked) return
    this.kernelMasked = true
    this.#signal()
  }
  #signal(): void {
    writeSync(this.core!.fd, new Uint8Array(BigUint64Array.of(1n).buffer))
  }
}

let line: Line
let core: VectorCore
beforeEach(() => {
  line = new Line()
  core = new VectorCore(0, line)
  line.core = core
})
afterEach(() => core.close('the test is over'))

describe('the mask of INTx', () => {
  it('follows the kernel: set by a delivery that nobody has looked at, clear once unmasked', () => {
    expect(core.masked).toBe(false)
    line.assert()
    expect(core.masked).toBe(true)
    expect(core.masked).toBe(true)
    line.asserted = false
    core.unmask()
    expect([core.masked, line.kernelMasked]).toEqual([false, false])
    expect(core.take()).toBe(1)
    expect(core.masked).toBe(false)
  })

  it('stays set when the device asserts again what was unmasked too early', () => {
    line.assert()
    core.unmask()
    expect([core.masked, line.kernelMasked]).toEqual([true, true])
    expect(core.take()).toBe(2)
  })

  it('is not set by a trigger, nor by what was given back', () => {
    core.trigger()
    expect([core.masked, line.kernelMasked]).toEqual([false, false])
    core.putBack(core.take())
    expect(core.masked).toBe(false)
    expect(core.take()).toBe(1)
    line.assert()
    core.trigger()
    expect([core.masked, line.kernelMasked]).toEqual([true, true])
    expect(core.take()).toBe(2)
  })

  it('is set by hand, and nothing is delivered until it is clear', () => {
    core.mask()
    line.assert()
    expect([core.masked, core.take()]).toEqual([true, 0])
    core.unmask()
    expect([core.masked, core.take()]).toEqual([true, 1])
  })
})

describe('VectorCore', () => {
  it('says why it was closed, and leaves no file open', () => {
    const { fd } = core
    core.close('the device was reset')
    core.close('something else')
    expect(() => core.fd).toThrow('INTx vector 0: the device was reset.')
    expect(() => fstatSync(fd)).toThrow('EBADF')
  })

  it('ends its listeners although the program has closed its file', async () => {
    const ends: boolean[] = []
    core.listen({
      onInterrupts: () => {},
      onEnd: (reason) => ends.push(isOpenbarError(reason, 'ERR_CLOSED')),
      keeper: {},
    })
    closeSync(core.fd)
    expect(() => core.close('the device was reset')).toThrow('EBADF')
    await Promise.resolve()
    expect(ends).toEqual([true])
    expect(() => core.take()).toThrow('the device was reset')
  })
})

describe('what keeps a device in use', () => {
  const listener = (keeper: object) => ({ onInterrupts: () => {}, onEnd: () => {}, keeper })

  it('is a vector that listens, and not one that is only on', async () => {
    setFlagsFromString('--expose-gc')
    const collect = runInNewContext('gc') as () => void
    let stop = () => {}
    const hold = () => {
      const forgotten = {}
      const listening = {}
      new InterruptVector(core, forgotten)
      stop = core.listen(listener(listening))
      return [new WeakRef(forgotten), new WeakRef(listening)] as const
    }
    const [forgotten, listening] = hold()
    const settle = async () => {
      await new Promise((resolve) => setTimeout(resolve, 10))
      collect()
    }
    await settle()
    expect([forgotten.deref() === undefined, listening.deref() === undefined]).toEqual([true, false])
    // A weak reference that was read is held until the next turn.
    stop()
    stop = () => {}
    await settle()
    expect(listening.deref()).toBeUndefined()
  })
})
