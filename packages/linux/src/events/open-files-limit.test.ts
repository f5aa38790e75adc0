import { execFileSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { openFilesLimit } from './open-files-limit.ts'

test('the limit is the one that a child inherits', () => {
  const soft = execFileSync('sh', ['-c', 'ulimit -Sn'], { encoding: 'utf8' })
  expect(openFilesLimit()).toBe(Number(soft))
})
