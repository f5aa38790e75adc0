import { cpSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { packAll } from '../lib/pack.mjs'
import { publicPackages, readManifest } from '../lib/packages.mjs'
import { readPrograms } from '../lib/readme-programs.mjs'
import { root } from '../lib/root.mjs'
import { mustRun, run } from '../lib/run.mjs'

// What a user gets: the tarballs, installed into a project that knows nothing of this repository.
const packages = publicPackages()
const project = mkdtempSync(join(tmpdir(), 'openbar-packed-'))

beforeAll(async () => {
  const tarballs = await packAll(join(project, 'tarballs'))
  write('package.json', { name: 'an-empty-project', private: true, type: 'module' })
  const install = ['install', '--no-audit', '--no-fund', '--loglevel=error', ...tarballs.map(({ path }) => path)]
  await mustRun('npm', install, { cwd: project, output: 'capture' })
  // The test runner that a README's test is written for is the user's own.
  symlinkSync(join(root, 'node_modules/vitest'), join(project, 'node_modules/vitest'))
})

afterAll(() => rmSync(project, { recursive: true, force: true }))

describe.each(packages)('$manifest.name', ({ directory, manifest }) => {
  test('is installed, with what it depends on', () => {
    const installed = join(project, 'node_modules', manifest.name)
    expect(lstatSync(installed).isSymbolicLink()).toBe(false)
    expect(readManifest(installed, '/').version).toBe(manifest.version)
    for (const name of Object.keys(manifest.dependencies ?? {})) {
      expect(readdirSync(join(project, 'node_modules', name))).toContain('package.json')
    }
  })

  test('can be imported', async () => {
    const entries = Object.keys(manifest.exports ?? {}).filter((entry) => !entry.endsWith('.json'))
    for (const entry of entries) {
      const specifier = join(manifest.name, entry)
      const code = `if (Object.keys(await import('${specifier}')).length === 0) throw new Error('${specifier} is empty')`
      await mustRun('node', ['--input-type=module', '--eval', code], { cwd: project, output: 'capture' })
    }
  })

  test('its README has programs that type-check', async () => {
    const programs = readPrograms(join(root, directory))
    const here = join('readme', manifest.name)
    mkdirSync(join(project, here), { recursive: true })
    programs.forEach(({ code }, index) => {
      writeFileSync(join(project, here, `program-${index}.ts`), code)
    })
    write(join(here, 'tsconfig.json'), {
      // As strictly as here; and the declarations of the packages are checked as well.
      extends: join(root, 'tsconfig.base.json'),
      compilerOptions: {
        noUnusedLocals: false,
        skipLibCheck: false,
        // The compiler and Node's own types are the only things that the project does not bring.
        typeRoots: [join(root, 'node_modules/@types')],
      },
      include: ['*.ts'],
    })
    const tsc = join(root, 'node_modules/typescript/bin/tsc')
    const { code, output } = await run('node', [tsc, '-p', here], { cwd: project, output: 'capture' })
    expect(output).toBe('')
    expect(code).toBe(0)
  })
})

test('the ping runs in the lab', async () => {
  cpSync(join(root, 'examples'), join(project, 'examples'), {
    recursive: true,
    filter: (path) => !/\/(node_modules|package\.json|tsconfig\.json)$/.test(path),
  })
  const lab = join(project, 'node_modules/.bin/openbar-lab')
  const machine = ['--kernel', 'distro', '--iommu', 'intel', '--nic', 'e1000', '--nic', 'e1000e']
  const ping = ['--', 'node', 'examples/ping.ts', '--json']
  const result = await run(lab, ['run', ...machine, ...ping], { cwd: project, output: 'capture' })
  expect(result.code, result.output).toBe(0)
  const events = result.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  expect(events.filter(({ event }) => event === 'reply')).toHaveLength(8)
})

/**
 * @param {string} path
 * @param {unknown} content
 */
function write(path, content) {
  writeFileSync(join(project, path), JSON.stringify(content, undefined, 2))
}
