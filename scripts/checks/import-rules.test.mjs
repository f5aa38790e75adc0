import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { root } from '../lib/root.mjs'
import { allowedImports, checkImports, findImports } from './import-rules.mjs'

const rootManifest = { name: 'root', devDependencies: { vitest: '*' } }

/**
 * @param {string} text
 * @param {{ path?: string, name?: string, private?: boolean, dependencies?: string[] }} [file]
 */
function check(text, file = {}) {
  const { path = 'packages/vfio/src/device/device.ts', dependencies = ['linux', 'pci', 'iommu', 'vfio', 'lab'] } = file
  const directory = path.startsWith('packages/') ? path.split('/').slice(0, 2).join('/') : (path.split('/')[0] ?? '')
  const manifest = {
    name: file.name ?? `@openbar/${directory.split('/').at(-1)}`,
    private: file.private ?? false,
    dependencies: Object.fromEntries(dependencies.map((name) => [`@openbar/${name}`, '*'])),
  }
  return checkImports(text, { path, directory, manifest }, rootManifest)
}

describe('findImports', () => {
  test.each([
    ["import { a } from 'x'", false],
    ["import 'x'", false],
    ["import { type A } from 'x'", false],
    ["import type { A } from 'x'", true],
    ["export * from 'x'", false],
    ["export type { A } from 'x'", true],
    ["const a = await import('x')", false],
    ["type A = import('x').A", true],
    ["type A = typeof import('x')", true],
    ["const a = require('x')", false],
    ["const a = createRequire(import.meta.url)('x')", false],
  ])('%s', (text, typeOnly) => {
    expect(findImports(`\n${text}`, 'a.ts')).toEqual([{ specifier: 'x', typeOnly, line: 2 }])
  })

  test('looks at neither comments nor strings', () => {
    expect(findImports("// import 'x'\nconst text = \"import 'x'\"", 'a.ts')).toEqual([])
  })
})

describe('checkImports', () => {
  test('lets through what is allowed', () => {
    expect(check("import { a } from '@openbar/iommu'\nimport { b } from '../b.ts'\nimport 'node:fs'")).toEqual([])
  })

  test('refuses a package above, and says where', () => {
    expect(check("\nimport { a } from '@openbar/vfio'", { path: 'packages/iommu/src/a.ts' })).toEqual([
      "packages/iommu/src/a.ts:2: iommu may not import vfio ('@openbar/vfio')",
    ])
  })

  test('refuses an entry of such a package, and a re-export', () => {
    const path = 'packages/pci/src/a.ts'
    expect(check("export * from '@openbar/vfio/errors'", { path })).toHaveLength(1)
    expect(check("const a = await import('@openbar/iommu')", { path })).toHaveLength(1)
  })

  test('gives the lab nothing', () => {
    expect(check("import type { A } from '@openbar/linux'", { path: 'packages/lab/src/a.ts' })).toHaveLength(1)
  })

  test('gives a package that is in no rule nothing', () => {
    expect(check("import { a } from '@openbar/linux'", { path: 'packages/new/src/a.ts' })).toHaveLength(1)
  })

  test('lets a driver import pci as types only', () => {
    const path = 'packages/drivers-e1000/src/a.ts'
    expect(check("import type { A } from '@openbar/pci'", { path })).toEqual([])
    expect(check("import { type A } from '@openbar/pci'", { path })[0]).toContain('only with `import type`')
    expect(check("import { a } from '@openbar/pci'", { path: 'packages/drivers-e1000/src/a.test.ts' })).toEqual([])
  })

  test('refuses what package.json does not name', () => {
    expect(check("import koffi from 'koffi'")[0]).toContain('packages/vfio/package.json')
    expect(check("import { a } from '@openbar/iommu'", { dependencies: [] })[0]).toContain('not among the dependencies')
  })

  test("lets tests import the workspace's tools, and nothing else do so", () => {
    expect(check("import { test } from 'vitest'", { path: 'packages/vfio/src/a.test.ts' })).toEqual([])
    expect(check("import { test } from 'vitest'", { path: 'packages/vfio/src/a.ts' })).toHaveLength(1)
  })

  test("refuses another package's files, for private workspaces too", () => {
    expect(check("import { a } from '../../../iommu/src/a.ts'")[0]).toContain('may not leave packages/vfio')
    const support = { path: 'tests/support/a.ts', private: true }
    expect(check("import { a } from '../../packages/iommu/src/a.ts'", support)).toHaveLength(1)
  })

  test('lets a test on a device reach what a package does not export, in its sources only', () => {
    const lab = { path: 'tests/a.lab.test.ts', private: true }
    expect(check("import { a } from '../packages/iommu/src/a.ts'", lab)).toEqual([])
    expect(check("import { a } from '../packages/iommu/dist/a.js'", lab)).toHaveLength(1)
  })

  test("keeps tests' helpers out of what is published", () => {
    expect(check("import { a } from '../testing/a.ts'")[0]).toContain('only tests')
    expect(check("import { a } from '../testing/a.ts'", { path: 'packages/vfio/src/device/a.test.ts' })).toEqual([])
    expect(check("import { test } from 'vitest'", { path: 'packages/vfio/src/testing/a.ts' })).toEqual([])
  })

  test('lets private workspaces use the files of each other', () => {
    const lab = { path: 'tests/a.lab.test.ts', private: true }
    expect(check("import { a } from '../examples/a.ts'", lab)).toEqual([])
    expect(check("import { a } from '../../../examples/a.ts'")).toHaveLength(1)
  })

  test('lets private workspaces import every package that they name', () => {
    const lab = { path: 'tests/a.lab.test.ts', private: true }
    expect(check("import { Lab } from '@openbar/lab'\nimport { a } from './b/a.ts'", lab)).toEqual([])
    expect(check("import { a } from '@openbar/other'", lab)).toHaveLength(1)
  })

  test('refuses a package that imports itself by name', () => {
    expect(check("import { a } from '@openbar/vfio'")[0]).toContain('by path')
  })
})

test('there is a rule for every package', () => {
  expect(readdirSync(join(root, 'packages')).sort()).toEqual(Object.keys(allowedImports).sort())
})
