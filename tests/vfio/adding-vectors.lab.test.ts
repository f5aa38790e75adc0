import { execFileSync, spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { beforeAll, describe, expect, it } from 'vitest'
import { backends } from '../support/backends.ts'
import { errorOf } from '../support/error-of.ts'
import { openDevice } from '../support/open-device.ts'

const ROUNDS = process.env['OPENBAR_FULL'] === '1' ? 50 : 2
/** How long interrupts come in each round, in milliseconds. */
const TRAFFIC = 1500
const RAISE_PROGRAM = '/tmp/raise-interrupts'
const cSource = new URL('raise-interrupts.c', import.meta.url).pathname

beforeAll(() => {
  execFileSync('gcc', ['-O2', '-o', RAISE_PROGRAM, cSource])
})

describe.each(backends)('adding vectors on %s', (backend) => {
  it('brings those reserved, numbered on, each with its own event', async () => {
    await using opened = await openDevice('e1000e', backend)
    const { interrupts } = opened.device
    const { vectors } = interrupts.enable('msix', { vectors: 1, reserve: 3 })
    const added = interrupts.add(2)
    expect(added.map(({ number }) => number)).toEqual([1, 2])
    expect(interrupts.enabled?.vectors).toEqual([...vectors, ...added])
    expect(interrupts.enabled?.vectors[1]).toBe(added[0])
    interrupts.trigger([0, 1, 2])
    added[1]!.trigger()
    const waits = [vectors[0], ...added].map((vector) => vector.wait({ timeout: 5000 }))
    expect(await Promise.all(waits)).toEqual([1, 1, 2])
    interrupts.disable()
    await errorOf('ERR_CLOSED', () => added[0]!.trigger())
  })

  it('brings more than were reserved where the kernel resizes, and says so where it does not', async () => {
    await using opened = await openDevice('e1000e', backend)
    const { interrupts } = opened.device
    const [first] = interrupts.enable('msix', { vectors: 1, reserve: 1 }).vectors
    if (interrupts.info('msix').resizable) {
      const added = interrupts.add(4)
      for (const vector of added) vector.trigger()
      expect(await Promise.all(added.map((vector) => vector.wait({ timeout: 5000 })))).toEqual([1, 1, 1, 1])
    } else {
      const error = await errorOf('ERR_INTERRUPT', () => interrupts.add(2))
      expect(error.message).toContain("interrupts.enable('msix', { vectors: 1, reserve: 2 })")
      expect(interrupts.add(1)).toHaveLength(1)
    }
    const tooMany = await errorOf('ERR_INTERRUPT', () => interrupts.add(5))
    expect(tooMany.message).toContain('it has 5 in all')
    first.trigger()
    expect(await first.wait({ timeout: 5000 })).toBe(1)
  })

  it('is refused while none are on, for INTx, and for what is no number', async () => {
    await using opened = await openDevice('e1000e', backend)
    const { interrupts } = opened.device
    await errorOf('ERR_INTERRUPT', () => interrupts.add(1))
    interrupts.enable('intx')
    await errorOf('ERR_INTERRUPT', () => interrupts.add(1))
    for (const count of [0, -1, 1.5, Number.NaN]) await errorOf('ERR_INVALID_ARGUMENT', () => interrupts.add(count))
    interrupts.disable()
    await errorOf('ERR_INTERRUPT', () => interrupts.enable('intx', { reserve: 1 }))
    await errorOf('ERR_INTERRUPT', () => interrupts.enable('msix', { vectors: 3, reserve: 3 }))
    expect(interrupts.enabled).toBeUndefined()
  })

  it('loses no interrupt of a vector that runs, nor does parking another one', async () => {
    await using opened = await openDevice('e1000e', backend)
    const { device } = opened
    const { interrupts } = device
    device.config.command.busMasterEnable = true
    const resizable = interrupts.info('msix').resizable
    let raised = 0
    for (let round = 0; round < ROUNDS; round += 1) {
      const [running] = interrupts.enable('msix', { vectors: 1, reserve: resizable ? 0 : 4 }).vectors
      const child = spawn(RAISE_PROGRAM, ['3', '4', `${TRAFFIC}`], {
        stdio: ['ignore', 'pipe', 'inherit', device.attachment.fd, running.fd],
      })
      const counted = text(child.stdout!)
      // It is under way when the first is added, and until long after the last.
      for (let number = 1; number <= 4; number += 1) {
        await sleep(150)
        const [vector] = interrupts.add(1)
        vector!.parkLossy()
        vector!.unpark()
        vector!.trigger()
        expect(await vector!.wait({ timeout: 5000 })).toBe(1)
      }
      const [count = 0, lost] = (await counted).trim().split(' ').map(Number)
      expect(lost).toBe(0)
      raised += count
      interrupts.disable()
    }
    console.log(`${backend}: ${raised} interrupts while ${4 * ROUNDS} vectors were added, none lost`)
    expect(raised).toBeGreaterThan(20 * ROUNDS)
  })
})
