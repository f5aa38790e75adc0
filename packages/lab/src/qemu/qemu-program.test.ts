import { expect, test } from 'vitest'
import { parseDeviceHelp } from './qemu-program.ts'

test('models and their aliases', () => {
  const names = parseDeviceHelp(
    'Network devices:\nname "e1000", bus PCI, alias "e1000-82540em", desc "Intel"\nname "isa", bus ISA\nname "intel-iommu", bus System\n',
  )
  expect([...names]).toEqual(['e1000', 'e1000-82540em', 'intel-iommu'])
})
