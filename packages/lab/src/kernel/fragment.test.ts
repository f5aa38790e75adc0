import { expect, test } from 'vitest'
import { fragmentLines, kernelFragment, missingSettings } from './fragment.ts'

test('a setting that the kernel dropped is named', () => {
  const fragment = '# why\nCONFIG_PCI=y\nCONFIG_IGB=m\nCONFIG_NR_CPUS=512\n'
  const config = 'CONFIG_PCI=y\n# CONFIG_IGB is not set\nCONFIG_NR_CPUS=64\n'
  expect(missingSettings(fragment, config)).toEqual(['CONFIG_IGB=m', 'CONFIG_NR_CPUS=512'])
})

test('a setting that is to be off must be off, in either way of writing it', () => {
  expect(missingSettings('CONFIG_A=n', '# CONFIG_A is not set\n')).toEqual([])
  expect(missingSettings('CONFIG_A=n', '')).toEqual([])
  expect(missingSettings('CONFIG_A=n', 'CONFIG_A=m\n')).toEqual(['CONFIG_A=n'])
})

test("a built-in driver does not stand in for a module: it would take the lab's devices", () => {
  expect(missingSettings('CONFIG_E1000=m', 'CONFIG_E1000=y\n')).toEqual(['CONFIG_E1000=m'])
})

test("the package's own fragment is well formed and names nothing twice", () => {
  const lines = fragmentLines(kernelFragment())
  for (const line of lines) expect(line).toMatch(/^CONFIG_[A-Z0-9_]+=([ymn]|\d+)$/)
  expect(new Set(lines.map((line) => line.split('=')[0])).size).toBe(lines.length)
  expect(lines).toContain('CONFIG_IOMMUFD_TEST=y')
})
