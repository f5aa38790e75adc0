import { expect, test, vi } from 'vitest'
import { silent } from '../util/progress.ts'
import { installCommand, installPackages } from './install-packages.ts'
import { missingRequirements, type Requirement } from './requirement.ts'

const need = (name: string, kernel?: 'iommufd'): Requirement => ({
  package: name,
  why: 'a test',
  ...(kernel && { kernel }),
  present: () => false,
})

test('tools to build a kernel are missed only when one is to be built', () => {
  const all = [need('qemu'), need('gcc', 'iommufd'), { ...need('kmod'), present: () => true }]
  expect(missingRequirements(['distro'], all).map((each) => each.package)).toEqual(['qemu'])
  expect(missingRequirements(['distro', 'iommufd'], all).map((each) => each.package)).toEqual(['qemu', 'gcc'])
})

test('it is one command', () => {
  expect(installCommand([need('a'), need('b')])).toBe(
    'apt-get update && apt-get install -y --no-install-recommends a b',
  )
})

test('an ordinary user is told that one command', async () => {
  const getuid = vi.spyOn(process, 'getuid').mockReturnValue(1000)
  const error: unknown = await installPackages([need('a')], silent).catch((thrown: unknown) => thrown)
  getuid.mockRestore()
  expect(error).toMatchObject({ code: 'ERR_LAB_NEEDS_ROOT', hint: expect.stringContaining('apt-get install -y') })
})
