import { execFileSync } from 'node:child_process'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { commandScript } from './command-script.ts'

test('a shell passes every word and variable on unchanged', () => {
  const text = fc.string({ unit: 'binary', maxLength: 12 }).filter((word) => !/[\0\ud800-\udfff]/.test(word))
  fc.assert(
    fc.property(fc.array(text, { maxLength: 3 }), text, (words, value) => {
      const print = 'printf "%s\\0" "$VALUE" "$@"'
      const script = commandScript(['sh', '-c', print, 'sh', ...words], { cwd: '/', env: { VALUE: value } })
      const out = execFileSync('sh', ['-c', script], { encoding: 'utf8' })
      expect(out).toBe([value, ...words].map((word) => `${word}\0`).join(''))
    }),
    { numRuns: 30 },
  )
})

test('a directory that is not there gives exit code 126', () => {
  const script = commandScript(['true'], { cwd: '/not there', env: {} })
  expect(() => execFileSync('sh', ['-c', script], { stdio: 'pipe' })).toThrow(expect.objectContaining({ status: 126 }))
})
