import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, test } from 'vitest'
import { runChild } from './testing/run-child.ts'

const dist = (entry: string) => new URL(`../dist/${entry}`, import.meta.url).href

/** Imports an entry of the build in a process that believes to be elsewhere; prints what came of it. */
function importElsewhere(entry: string, platform: string, arch: string) {
  return runChild(`
    Object.defineProperty(process, 'platform', { value: '${platform}' })
    Object.defineProperty(process, 'arch', { value: '${arch}' })
    try {
      const module = await import('${dist(entry)}')
      console.log('imported', Object.keys(module).includes('OpenbarError') || Object.keys(module).includes('readText'))
    } catch (error) {
      console.log(error.code, JSON.stringify(error.context), error.message)
    }
  `).stdout
}

describe('the built package', () => {
  beforeAll(() => {
    if (existsSync(fileURLToPath(dist('index.js')))) return
    throw new Error('These tests read the build: npm run build -w packages/linux')
  })

  test.each([
    ['darwin', 'arm64'],
    ['win32', 'x64'],
    ['linux', 'arm64'],
  ])('refuses to be imported on %s, %s, with an error of its own', (platform, arch) => {
    const output = importElsewhere('index.js', platform, arch)
    expect(output).toContain(`ERR_UNSUPPORTED_PLATFORM ${JSON.stringify({ platform, arch })}`)
    expect(output).toContain(`this is ${platform} on ${arch}`)
  })

  test.each(['errors/index.js', 'sysfs/index.js'])('lets %s be imported anywhere', (entry) => {
    expect(importElsewhere(entry, 'darwin', 'arm64')).toBe('imported true\n')
  })

  test('is imported on Linux, x64', () => {
    expect(importElsewhere('index.js', 'linux', 'x64')).toBe('imported true\n')
  })

  test('has one error class behind every entry', () => {
    const { stdout } = runChild(`
      const [all, errors] = await Promise.all([import('${dist('index.js')}'), import('${dist('errors/index.js')}')])
      const { readText } = await import('${dist('sysfs/index.js')}')
      try { readText('/') } catch (error) { console.log(error instanceof errors.OpenbarError, all.isOpenbarError(error)) }
    `)
    expect(stdout).toBe('true true\n')
  })
})
