import { describe, expect, test } from 'vitest'
import { lockedMemory, parseLockedMemory } from './locked-memory.ts'

const STATUS = 'Name:\tnode\nVmPeak:\t  700000 kB\nVmLck:\t      64 kB\nVmPin:\t    1024 kB\nVmRSS:\t   50000 kB\n'
const limits = (soft: string) => `Limit                     Soft Limit           Hard Limit           Units
Max processes             63432                63432                processes
Max locked memory         ${soft}              unlimited            bytes
Max address space         unlimited            unlimited            bytes
`

describe('parseLockedMemory', () => {
  test('reads what is locked, pinned and allowed, in bytes', () => {
    expect(parseLockedMemory(STATUS, limits('8388608'))).toEqual({
      locked: 65536n,
      pinned: 1048576n,
      limit: 8388608n,
    })
  })

  test('takes the soft limit, and undefined for unlimited', () => {
    expect(parseLockedMemory(STATUS, limits('unlimited')).limit).toBeUndefined()
    expect(parseLockedMemory(STATUS, limits('0')).limit).toBe(0n)
  })

  test('counts zero where the kernel says nothing', () => {
    expect(parseLockedMemory('', '')).toEqual({ locked: 0n, pinned: 0n, limit: undefined })
  })

  test('is not taken in by a line that holds the name', () => {
    expect(parseLockedMemory('Name:\tVmLck: 5 kB\nVmLck:\t 1 kB\n', '').locked).toBe(1024n)
  })
})

test('lockedMemory reads this process', () => {
  const { locked, limit } = lockedMemory()
  expect(locked).toBeGreaterThanOrEqual(0n)
  expect(limit === undefined || limit >= 0n).toBe(true)
})
