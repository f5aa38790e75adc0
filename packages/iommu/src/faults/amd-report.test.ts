import { describe, expect, test } from 'vitest'
import { parseAmdReport } from './amd-report.ts'

// QEMU's AMD IOMMU reports nothing: these are as the formats in the images of Linux 6.12.95 and 6.1.176 print them.
describe('parseAmdReport', () => {
  test.each([
    'AMD-Vi: Event logged [IO_PAGE_FAULT device=0000:c1:1f.7 domain=0x0001 address=0x7f001000 flags=0x0020]',
    'AMD-Vi: Event logged [IO_PAGE_FAULT device=c1:1f.7 domain=0x0001 address=0x7f001000 flags=0x0020]',
    'vfio-pci 0000:c1:1f.7: AMD-Vi: Event logged [IO_PAGE_FAULT domain=0x0001 address=0x7f001000 flags=0x0020]',
  ])('reads %s', (message) => {
    expect(parseAmdReport(message)).toEqual({
      kind: 'fault',
      iommu: 'amd',
      device: '0000:c1:1f.7',
      iova: 0x7f00_1000n,
      access: 'write',
      reason: 'IO_PAGE_FAULT',
      code: 0x20,
    })
  })

  test('names the device and its segment, not the IOMMU that reports', () => {
    const message =
      'pci 0000:00:00.2: AMD-Vi: Event logged [INVALID_DEVICE_REQUEST device=0001:02:00.0 pasid=0x00000 address=0xfffffffdf8000000 flags=0x0a00]'
    expect(parseAmdReport(message)).toMatchObject({
      device: '0001:02:00.0',
      iova: 0xffff_fffd_f800_0000n,
      access: undefined,
      reason: 'INVALID_DEVICE_REQUEST',
    })
  })

  test.each([
    [0x0000, 'read'],
    [0x0050, 'read'],
    [0x0070, 'write'],
    [0x0100, undefined],
    [0x0120, undefined],
  ])('knows from the flags 0x%x that it was a %s', (flags, access) => {
    const text = flags.toString(16).padStart(4, '0')
    const message = `AMD-Vi: Event logged [IO_PAGE_FAULT device=0000:00:02.0 domain=0x0000 address=0x0 flags=0x${text}]`
    expect(parseAmdReport(message)).toMatchObject({ iova: 0n, access, code: flags })
  })

  test.each(['AMD-Vi: IOMMU event log overflow', 'AMD-Vi: IOMMU Event log restarting'])(
    'knows an overflow: %s',
    (message) => {
      expect(parseAmdReport(message)).toEqual({ kind: 'lost', cause: 'iommu-overflow', count: undefined })
    },
  )

  test.each([
    // An interrupt that was refused.
    'AMD-Vi: Event logged [IO_PAGE_FAULT device=0000:00:02.0 domain=0x0000 address=0xfdf8000000 flags=0x0008]',
    'AMD-Vi: Event logged [IO_PAGE_FAULT domain=0x0000 address=0x1000 flags=0x0000]',
    'AMD-Vi: Event logged [COMMAND_HARDWARE_ERROR address=0x1000 flags=0x0000]',
    'pci 0000:00:00.2: AMD-Vi: Event logged [IOTLB_INV_TIMEOUT device=0000:00:02.0 address=0x1000]',
    'AMD-Vi: IOMMU PPR log restarting',
    'AMD-Vi: Interrupt remapping enabled',
  ])('passes over %s', (message) => {
    expect(parseAmdReport(message)).toBeUndefined()
  })
})
