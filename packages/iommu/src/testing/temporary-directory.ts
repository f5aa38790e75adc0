import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'

/** An empty directory that is removed after the test file's last test. */
export function temporaryDirectory(): string {
  const path = mkdtempSync(join(tmpdir(), 'openbar-'))
  afterAll(() => rmSync(path, { recursive: true, force: true }))
  return path
}
