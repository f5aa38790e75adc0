import { describe, expect, it } from 'vitest'
import { backends } from '../support/backends.ts'
import { openModel } from '../support/open-model.ts'
import { processState } from '../support/process-state.ts'

/** The most that MSI-X can have (PCI Local Bus 3.0, 6.8.2.3: 11 bits). */
const VECTORS = 2048
/** Coprime to it: a walk that meets each once, and no neighbours. */
const STEP = 797

describe.each(backends)(`${VECTORS} vectors on %s`, (backend) => {
  it('are on at once, and each delivers its own interrupts, each once', async () => {
    await using opened = await openModel('nvme', backend)
    const { interrupts } = opened.device
    expect(interrupts.info('msix').count).toBe(VECTORS)
    const before = processState()
    const { vectors } = interrupts.enable('msix', { vectors: VECTORS })
    expect(vectors.map(({ number }) => number)).toEqual(Array.from({ length: VECTORS }, (_, number) => number))
    const counts = new Uint32Array(VECTORS)
    const order: number[] = []
    for (const vector of vectors) {
      vector.subscribe((count) => {
        counts[vector.number]! += count
        order.push(vector.number)
      })
    }
    // By itself, one after the other: nobody else is told.
    for (let walk = 0; walk < 32; walk += 1) {
      const number = (walk * STEP) % VECTORS
      const waiting = vectors[number]!.wait({ timeout: 5000 })
      vectors[number]!.trigger()
      expect(await waiting).toBe(1)
      expect(order.splice(0)).toEqual([number])
    }
    counts.fill(0)
    for (let walk = 0; walk < VECTORS; walk += 1) vectors[(walk * STEP) % VECTORS]!.trigger()
    await expect.poll(() => order.length, { timeout: 20_000 }).toBe(VECTORS)
    expect(counts.every((count) => count === 1)).toBe(true)
    // All in one call.
    order.length = 0
    interrupts.trigger(vectors.map(({ number }) => number))
    await expect.poll(() => order.length, { timeout: 20_000 }).toBe(VECTORS)
    expect(counts.every((count) => count === 2)).toBe(true)
    expect(new Set(order).size).toBe(VECTORS)
    interrupts.disable()
    expect(processState()).toEqual(before)
  })

  it('run on beside each other as they are added', async () => {
    await using opened = await openModel('nvme', backend)
    const { interrupts } = opened.device
    interrupts.enable('msix')
    for (let step = 0; step < 7; step += 1) interrupts.add(1)
    interrupts.add(VECTORS - 8)
    const vectors = interrupts.enabled!.vectors
    expect(vectors).toHaveLength(VECTORS)
    interrupts.trigger([0, 7, VECTORS - 1])
    for (const number of [0, 7, VECTORS - 1]) expect(await vectors[number]!.wait({ timeout: 5000 })).toBe(1)
    interrupts.trigger(vectors.map(({ number }) => number))
    for (const vector of vectors) expect(await vector.wait({ timeout: 5000 })).toBe(1)
  })
})
