import { expect, test } from 'vitest'
import { resultTable, totalLine } from './result-table.mjs'

test('resultTable lines the numbers up', () => {
  const results = [
    { name: 'unit', passed: 120, failed: 0, skipped: 0, seconds: 4.4 },
    { name: 'distro intel', passed: 9, failed: 1, skipped: 2, seconds: 31.6 },
  ]
  expect(resultTable(results)).toBe(
    [
      '              passed  failed  skipped  seconds',
      'unit             120       0        0        4',
      'distro intel       9       1        2       32',
    ].join('\n'),
  )
})

test('totalLine names skipped tests only when there are any', () => {
  expect(totalLine({ passed: 2, failed: 0, skipped: 0 })).toBe('2 passed, 0 failed')
  expect(totalLine({ passed: 2, failed: 1, skipped: 3 })).toBe('2 passed, 1 failed, 3 skipped')
})
