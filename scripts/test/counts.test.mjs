import { describe, expect, test } from 'vitest'
import { countTests, sumCounts } from './counts.mjs'

const report = (overrides = {}) =>
  JSON.stringify({
    numPassedTests: 3,
    numFailedTests: 0,
    numPendingTests: 0,
    numTodoTests: 0,
    testResults: [],
    ...overrides,
  })

describe('countTests', () => {
  test('counts what the report says', () => {
    const text = report({ numPendingTests: 2, numTodoTests: 1 })
    expect(countTests(text, 0)).toEqual({ passed: 3, failed: 0, skipped: 3 })
  })

  test('counts a file that cannot be loaded as a failure', () => {
    const text = report({ testResults: [{ status: 'failed', assertionResults: [] }] })
    expect(countTests(text, 1)).toEqual({ passed: 3, failed: 1, skipped: 0 })
  })

  test('does not count the file of a failed test as well', () => {
    const text = report({
      numFailedTests: 1,
      testResults: [{ status: 'failed', assertionResults: [{ status: 'failed' }] }],
    })
    expect(countTests(text, 1)).toEqual({ passed: 3, failed: 1, skipped: 0 })
  })

  test.each([
    ['there is no report', undefined, 0],
    ['vitest fails though every test passed', report(), 1],
    ['no test ran', report({ numPassedTests: 0 }), 0],
    ['every test was skipped', report({ numPassedTests: 0, numPendingTests: 4 }), 0],
  ])('fails when %s', (_, text, exitCode) => {
    expect(countTests(text, exitCode).failed).toBe(1)
  })
})

test('sumCounts adds up', () => {
  const one = { passed: 1, failed: 2, skipped: 3 }
  expect(sumCounts([one, one])).toEqual({ passed: 2, failed: 4, skipped: 6 })
  expect(sumCounts([])).toEqual({ passed: 0, failed: 0, skipped: 0 })
})
