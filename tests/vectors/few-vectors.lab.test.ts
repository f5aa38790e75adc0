import { execFileSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { openFilesLimit } from '@openbar/linux'
import { describe, expect, it } from 'vitest'
import { backends } from '../support/backends.ts'
import { errorOf } from '../support/error-of.ts'
import { openModel } from '../support/open-model.ts'
import { processState } from '../support/process-state.ts'

const MOST = 2048
const SOON = { timeout: 5000 }

/** Lowers how many files this process may have open; disposing puts it back. */
function limitFiles(limit: number): Disposable {
  const before = openFilesLimit()
  const set = (soft: number | undefined) =>
    void execFileSync('prlimit', ['--pid', `${process.pid}`, `--nofile=${soft}:`])
  set(limit)
  return { [Symbol.dispose]: () => set(before) }
}

function highestFile(): number {
  return Math.max(...readdirSync('/proc/self/fd').map(Number))
}

function numberIn(message: string, before: string): number {
  return Number(new RegExp(`${before} (\\d+)`).exec(message)?.[1])
}

describe.each(backends)('more vectors than there are, on %s', (backend) => {
  it('are refused with how many can be had, of which none are on then', async () => {
    await using opened = await openModel('nvme', backend)
    const { interrupts } = opened.device
    const before = processState()
    const error = await errorOf('ERR_INTERRUPT', () => interrupts.enable('msix', { vectors: MOST }))
    expect(error.hint).toContain('use a machine with more CPUs')
    const toBeHad = numberIn(error.message, 'only')
    expect(toBeHad).toBeGreaterThan(200)
    expect(toBeHad).toBeLessThan(MOST)
    expect(interrupts.enabled).toBeUndefined()
    expect(processState()).toEqual(before)
    const { vectors } = interrupts.enable('msix', { vectors: toBeHad })
    const last = vectors[toBeHad - 1]!
    last.trigger()
    expect(await last.wait(SOON)).toBe(1)
    interrupts.disable()
    await errorOf('ERR_INTERRUPT', () => interrupts.enable('msix', { vectors: toBeHad + 1 }))
    expect(interrupts.enabled).toBeUndefined()
  })

  it('can be reserved, and are refused when they are added', async () => {
    await using opened = await openModel('nvme', backend)
    const { interrupts } = opened.device
    const [first] = interrupts.enable('msix', { vectors: 1, reserve: MOST - 1 }).vectors
    const error = await errorOf('ERR_INTERRUPT', () => interrupts.add(MOST - 1))
    expect(numberIn(error.message, 'only')).toBeGreaterThan(200)
    expect(interrupts.add(numberIn(error.message, 'only')).length).toBeGreaterThan(200)
    first.trigger()
    expect(await first.wait(SOON)).toBe(1)
  })

  it('are refused beside those that run, which go on', async () => {
    await using opened = await openModel('nvme', backend)
    const { interrupts } = opened.device
    const { vectors } = interrupts.enable('msix', { vectors: 20, reserve: 4 })
    const files = processState()
    const error = await errorOf('ERR_INTERRUPT', () => interrupts.add(1000))
    if (interrupts.info('msix').resizable) {
      const toBeHad = numberIn(error.message, 'only')
      expect(toBeHad).toBeGreaterThan(100)
      expect(toBeHad).toBeLessThan(1000)
    } else expect(error.message).toContain('of those reserved 4 are left')
    expect(processState()).toEqual(files)
    expect(interrupts.enabled?.vectors).toEqual(vectors)
    interrupts.trigger(vectors.map(({ number }) => number))
    for (const vector of vectors) expect(await vector.wait(SOON)).toBe(1)
    const [added] = interrupts.add(4)
    added!.trigger()
    expect(await added!.wait(SOON)).toBe(1)
  })

  it('are refused by the limit of open files, which is named, and leave none open', async () => {
    await using opened = await openModel('nvme', backend)
    const { interrupts } = opened.device
    const { vectors } = interrupts.enable('msix', { vectors: 2, reserve: 200 })
    interrupts.disable()
    expect(vectors).toHaveLength(2)
    const before = processState()
    {
      const limit = highestFile() + 50
      using _limit = limitFiles(limit)
      const error = await errorOf('ERR_INTERRUPT', () => interrupts.enable('msix', { vectors: 300 }))
      expect(error.message).toContain('RLIMIT_NOFILE')
      expect(numberIn(error.message, 'it may have')).toBe(limit)
      expect(interrupts.enabled).toBeUndefined()
      expect(processState()).toEqual(before)
      // Room that is reserved takes no files.
      interrupts.enable('msix', { vectors: 2, reserve: 200 })
      await errorOf('ERR_INTERRUPT', () => interrupts.add(200))
      expect(interrupts.add(3)).toHaveLength(3)
      interrupts.disable()
    }
    expect(processState()).toEqual(before)
    expect(interrupts.enable('msix', { vectors: 300 }).vectors).toHaveLength(300)
  })
})

describe.each(backends)('several MSIs on %s', (backend) => {
  it('are reserved and added, parked by themselves, and never more than was reserved', async () => {
    await using opened = await openModel('nec-usb-xhci', backend)
    const { interrupts } = opened.device
    expect(interrupts.info('msi')).toEqual({ count: 16, maskable: false, resizable: false })
    interrupts.enable('msi', { vectors: 2, reserve: 3 })
    const error = await errorOf('ERR_INTERRUPT', () => interrupts.add(4))
    expect(error.message).toContain("interrupts.enable('msi', { vectors: 2, reserve: 4 })")
    interrupts.add(2)
    const { vectors } = interrupts.enabled!
    expect(vectors).toHaveLength(4)
    vectors[3]!.parkLossy()
    interrupts.trigger([0, 1, 2, 3])
    for (const number of [0, 1, 2]) expect(await vectors[number]!.wait(SOON)).toBe(1)
    await errorOf('ERR_TIMEOUT', () => vectors[3]!.wait({ timeout: 20 }))
    vectors[3]!.unpark()
    vectors[3]!.trigger()
    expect(await vectors[3]!.wait(SOON)).toBe(1)
    interrupts.add(1)
    await errorOf('ERR_INTERRUPT', () => interrupts.add(1))
  })
})
