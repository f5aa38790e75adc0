import { expect, test } from 'vitest'
import { parseMachineFlags } from './machine-flags.ts'

test('options, then a command that keeps its own options', () => {
  const flags = parseMachineFlags([
    ...['--nic', 'e1000', '--nic=e1000e,bus=port', '--iommu', 'amd', '-m', '4G', '--cores', '4', '--timeout', '2m'],
    ...[
      '--module',
      'e1000,e1000e',
      '--qemu-arg=-trace',
      '--append',
      'a=1',
      '-e',
      'A=1',
      '--',
      'ls',
      '--all',
      '--nic',
      'x',
    ],
  ])
  expect(flags.command).toEqual(['ls', '--all', '--nic', 'x'])
  expect(flags.timeoutMs).toBe(120_000)
  expect(flags.env).toEqual({ A: '1' })
  expect(flags.boot).toMatchObject({
    nics: [{ model: 'e1000' }, { model: 'e1000e', bus: 'port' }],
    iommu: 'amd',
    memoryMiB: 4096,
    cores: 4,
    modules: ['e1000', 'e1000e'],
    qemuArgs: ['-trace'],
    append: ['a=1'],
  })
})

test('without two dashes the command begins at the first word that is no value of an option', () => {
  expect(parseMachineFlags(['--icount', '--iommu', 'none', 'node', '-e', '1']).command).toEqual(['node', '-e', '1'])
  expect(parseMachineFlags(['--', '--', 'x']).command).toEqual(['--', 'x'])
})

test('a variable without a value is taken from here', () => {
  expect(parseMachineFlags(['-e', 'CI'], { CI: 'yes' }).env).toEqual({ CI: 'yes' })
  expect(() => parseMachineFlags(['-e', 'CI'], {})).toThrow('--env CI: it is not set here')
})

test.each([
  [['--iommu', 'arm'], '--iommu arm: it must be one of intel, amd, virtio, none'],
  [['--kernel', 'new'], '--kernel new: it must be one of distro, iommufd'],
  [['--cores', '0'], '--cores 0: it must be a whole number, at least 1'],
  [['--memory', 'lots'], '--memory lots: an amount of memory looks like 2048M or 4G'],
  [['--timeout', 'soon'], '--timeout soon: a time looks like 90, 90s, 2m or 500ms'],
  [['--nick', 'e1000'], "Unknown option '--nick'"],
])('%j is refused by name', (args, message) => {
  expect(() => parseMachineFlags(args)).toThrow(message)
})
