import { describe, expect, it } from 'vitest'
import { translating } from '../support/backend-differences.ts'
import { backends } from '../support/backends.ts'
import { runProgram } from '../support/limited-process.ts'
import { nicAddress } from '../support/nics.ts'
import type { MemlockReport } from './memlock-program.ts'

const LIMIT = 1024 * 1024
const PAGE = 4096
const program = new URL('memlock-program.ts', import.meta.url)

describe.each(translating(backends))('RLIMIT_MEMLOCK on %s', (backend) => {
  it('is said when it is too low, and nothing is left pinned', async () => {
    const args = [backend, nicAddress('e1000e'), `${LIMIT}`]
    const report = await runProgram<MemlockReport>(program, { capable: false, limit: LIMIT }, args)
    expect(report).toMatchObject({
      tooMuchAtOnce: { need: LIMIT + PAGE, limit: LIMIT, locked: 0, pinnedAfter: 0, mappingsAfter: 0 },
      halfPinned: LIMIT / 2,
      oneTooMany: { need: LIMIT / 2 + PAGE, locked: LIMIT / 2, pinnedAfter: LIMIT / 2, mappingsAfter: 1 },
      allPinned: LIMIT,
      pinnedAfterUnmap: 0,
      againAllPinned: LIMIT,
      beforeTheDevice: { need: 2 * LIMIT, locked: 0, pinnedAfter: 0, mappingsAfter: 1 },
      openedAfterRefusal: true,
    })
    const { message, hint } = report.tooMuchAtOnce
    expect(message).toContain(`RLIMIT_MEMLOCK allows ${LIMIT} bytes, of which 0 are in use`)
    expect(hint).toMatch(/ulimit -l.*limits\.conf.*LimitMEMLOCK/)
  })
})
