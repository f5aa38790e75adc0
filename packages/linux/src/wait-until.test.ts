import { describe, expect, test } from 'vitest'
import { OpenbarError } from './errors/openbar-error.ts'
import { waitUntil } from './wait-until.ts'

/** What a promise is rejected with; fails when it is not. */
async function rejectionOf(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise
  } catch (error) {
    return error
  }
  throw new Error('not rejected')
}

describe('waitUntil', () => {
  test('looks before it sleeps', async () => {
    let looks = 0
    const started = performance.now()
    await waitUntil(() => ++looks > 0, { timeout: 60_000, interval: 60_000, waitedFor: 'nothing' })
    expect(looks).toBe(1)
    expect(performance.now() - started).toBeLessThan(5000)
  })

  test('looks again until the condition holds', async () => {
    let looks = 0
    await waitUntil(() => ++looks === 5, { timeout: 60_000, waitedFor: 'five looks' })
    expect(looks).toBe(5)
  })

  test('says what it waited for, and how long, when the time is up', async () => {
    const error = await rejectionOf(waitUntil(() => false, { timeout: 10, waitedFor: 'the link' }))
    expect(error).toBeInstanceOf(OpenbarError)
    expect(error).toMatchObject({ code: 'ERR_TIMEOUT', context: { waitedFor: 'the link', milliseconds: 10 } })
    expect((error as Error).message).toBe('Waited 10 ms for the link, in vain.')
  })

  test('looks at least once, though no time is given', async () => {
    await waitUntil(() => true, { timeout: 0, waitedFor: 'nothing' })
    let looks = 0
    await rejectionOf(waitUntil(() => ++looks < 0, { timeout: 0, waitedFor: 'the impossible' }))
    expect(looks).toBeGreaterThan(0)
  })

  test('looks once more after a pause that outlasted the time', async () => {
    let open = false
    setTimeout(() => {
      open = true
      // The machine is slow: the time is over before the next look.
      const until = performance.now() + 60
      while (performance.now() < until);
    }, 5)
    await waitUntil(() => open, { timeout: 40, interval: 1000, waitedFor: 'the door' })
  })

  test('does not sleep beyond the end', async () => {
    const started = performance.now()
    await rejectionOf(waitUntil(() => false, { timeout: 20, interval: 60_000, waitedFor: 'nothing' }))
    expect(performance.now() - started).toBeLessThan(10_000)
  })

  test("ends at once with the signal's reason", async () => {
    const controller = new AbortController()
    const reason = new Error('changed my mind')
    setTimeout(() => controller.abort(reason), 10)
    const started = performance.now()
    const error = await rejectionOf(
      waitUntil(() => false, { timeout: 60_000, interval: 60_000, waitedFor: 'nothing', signal: controller.signal }),
    )
    expect(error).toBe(reason)
    expect(performance.now() - started).toBeLessThan(10_000)
  })

  test('does not look at all when the signal was given before', async () => {
    let looks = 0
    const reason = new Error('before')
    const wait = waitUntil(() => ++looks > 0, { timeout: 10, waitedFor: 'nothing', signal: AbortSignal.abort(reason) })
    expect(await rejectionOf(wait)).toBe(reason)
    expect(looks).toBe(0)
  })

  test.each([Number.NaN, -1, Number.POSITIVE_INFINITY])(
    'refuses %d as a timeout, for it is no end',
    async (timeout) => {
      const error = await rejectionOf(waitUntil(() => false, { timeout, waitedFor: 'nothing' }))
      expect(error).toMatchObject({ code: 'ERR_INVALID_ARGUMENT', context: { argument: 'timeout', value: timeout } })
    },
  )

  test('passes on what the condition throws', async () => {
    const odd = new Error('odd')
    const wait = waitUntil(
      () => {
        throw odd
      },
      { timeout: 1000, waitedFor: 'nothing' },
    )
    expect(await rejectionOf(wait)).toBe(odd)
  })
})
