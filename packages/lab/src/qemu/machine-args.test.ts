import { expect, test } from 'vitest'
import { type MachinePlan, machineArgs } from './machine-args.ts'
import type { IommuKind } from './machine-options.ts'

const plan: MachinePlan = {
  accel: 'tcg',
  kernel: 'iommufd',
  iommu: 'intel',
  icount: false,
  cores: 2,
  memoryMiB: 2048,
  image: '/k/image',
  initramfs: '/k/initramfs',
  append: [],
  deviceArgs: ['-device', 'e1000,id=nic0'],
  qemuArgs: ['-trace', 'x'],
  channels: { hostRoot: '/', share: '/tmp/a,b', ports: { control: '/tmp/c.sock' }, qmp: '/tmp/q.sock' },
}

const after = (args: readonly string[], flag: string) => args[args.indexOf(flag) + 1]

test.each<[IommuKind, string | undefined]>([
  ['intel', 'intel-iommu,intremap=on,caching-mode=on,device-iotlb=on'],
  ['amd', 'amd-iommu,intremap=on'],
  ['virtio', 'virtio-iommu-pci,bus=pcie.0,addr=0x1b'],
  ['none', undefined],
])('the IOMMU %s comes before all other devices', (iommu, device) => {
  const args = machineArgs({ ...plan, iommu })
  expect(after(args, '-device')).toBe(device ?? 'virtio-9p-pci,fsdev=host,mount_tag=openbar.host,bus=pcie.0,addr=0x1c')
})

test("Intel's IOMMU is switched on in the kernel too", () => {
  expect(after(machineArgs(plan), '-append')).toContain('intel_iommu=on')
  expect(after(machineArgs({ ...plan, iommu: 'amd' }), '-append')).not.toContain('intel_iommu')
})

test('ticks go on under emulation, where a lost one would be the last, but not where they would be counted', () => {
  expect(after(machineArgs(plan), '-append')).toContain(' nohz=off')
  for (const other of [{ icount: true }, { accel: 'kvm' as const }]) {
    expect(after(machineArgs({ ...plan, ...other }), '-append')).not.toContain('nohz')
  }
})

test('counting instructions takes one processor and one thread', () => {
  const args = machineArgs({ ...plan, icount: true })
  expect(after(args, '-icount')).toBe('shift=0')
  expect(after(args, '-accel')).toBe('tcg,thread=single')
  expect(after(args, '-smp')).toBe('1')
})

test("the host's files are read-only, and a comma in a path is not the end of it", () => {
  const args = machineArgs(plan)
  expect(args).toContain('local,security_model=none,multidevs=remap,id=host,path=/,readonly=on')
  expect(args).toContain('local,security_model=none,multidevs=remap,id=share,path=/tmp/a,,b')
})

test('what the caller adds comes last', () => {
  const args = machineArgs({ ...plan, append: ['quirk=1'] })
  expect(args.slice(-2)).toEqual(['-trace', 'x'])
  expect(after(args, '-append')).toMatch(/ quirk=1$/)
})
