import { bindDriver } from '@openbar/pci'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { differencesOf, translating } from '../support/backend-differences.ts'
import { backends } from '../support/backends.ts'
import { runProgram } from '../support/limited-process.ts'
import { nicAddress } from '../support/nics.ts'
import type { RoundsReport } from './rounds-program.ts'

const FULL = process.env['OPENBAR_FULL'] === '1'
const ROUNDS = FULL ? 10_000 : 200
const WARM_UP = FULL ? 1000 : 50
const MINUTE = 60_000
const KIB_PER_ROUND = 128
/** What compiled code and the fragments of malloc may add: half a KiB for each of 10,000 rounds. A leaked page is eight times that. */
const RESIDENT_SLACK_KIB = 5120
const HEAP_SLACK_KIB = 1024
/** What V8 may split its heap into. */
const AREAS_SLACK = 50
/** The young generation stays as small as it is at first: it would grow by megabytes for every thousand rounds. */
const FLAGS = ['--expose-gc', '--min-semi-space-size=1', '--max-semi-space-size=1']
const program = new URL('rounds-program.ts', import.meta.url)
const addresses = [nicAddress('e1000'), nicAddress('e1000e')]
const RIGHTS = [
  { name: 'with CAP_IPC_LOCK', rights: { capable: true } },
  // So little that a few rounds whose memory is still accounted to somebody would use it up.
  { name: 'without CAP_IPC_LOCK', rights: { capable: false, limit: 8 * KIB_PER_ROUND * 1024 } },
]

describe.each(translating(backends))('rounds of open, map, unmap and close on %s', (backend) => {
  const bindings = new AsyncDisposableStack()
  beforeAll(async () => {
    for (const address of addresses) bindings.use(await bindDriver(address, 'vfio-pci'))
  })
  afterAll(() => bindings.disposeAsync())

  it.each(RIGHTS)(
    `leave files, pinned and resident memory as they were, ${ROUNDS} times, $name`,
    async ({ rights }) => {
      const args = [backend, ...addresses, `${WARM_UP}`, `${ROUNDS}`]
      const report = await runProgram<RoundsReport>(program, rights, args, FLAGS)
      const { before, during, after, milliseconds } = report
      console.log(
        `${backend}, ${ROUNDS} rounds: ${(milliseconds / ROUNDS).toFixed(1)} ms each;`,
        `resident ${before.resident} to ${after.resident} KiB, heap ${before.heap} to ${after.heap} KiB,`,
        `areas ${before.areas} to ${after.areas}`,
      )
      // The witnesses see a round in progress.
      expect(during.files.filter((file) => /vfio|iommu/.test(file)).length).toBeGreaterThan(0)
      expect(Math.max(during.locked, during.pinned)).toBe(KIB_PER_ROUND)
      expect(differencesOf(backend).counts === 'VmLck' ? during.locked : during.pinned).toBe(KIB_PER_ROUND)
      expect(after.files).toEqual(before.files)
      expect([after.locked, after.pinned]).toEqual([before.locked, before.pinned])
      expect(after.areas - before.areas).toBeLessThan(AREAS_SLACK)
      expect(after.heap - before.heap).toBeLessThan(HEAP_SLACK_KIB)
      expect(after.resident - before.resident).toBeLessThan(RESIDENT_SLACK_KIB)
    },
    20 * MINUTE,
  )
})
