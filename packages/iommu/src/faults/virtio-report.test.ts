import { describe, expect, test } from 'vitest'
import { parseVirtioReport } from './virtio-report.ts'

describe('parseVirtioReport', () => {
  // Seen on Linux 6.12.95 with QEMU 7.2: what is not mapped has no access, and addresses are exact.
  test.each([
    ['virtio_iommu virtio0: page fault from EP 16 at 0x50000004 []', '0000:00:02.0', 0x5000_0004n, undefined],
    ['virtio_iommu virtio0: page fault from EP 24 at 0x7000001e [W]', '0000:00:03.0', 0x7000_001en, 'write'],
  ])('reads %s', (message, device, iova, access) => {
    expect(parseVirtioReport(message)).toEqual({
      kind: 'fault',
      iommu: 'virtio',
      device,
      iova,
      access,
      reason: 'page fault',
      code: undefined,
    })
  })

  test.each([
    ['virtio_iommu virtio1: domain fault from EP 65535 at 0xffffffffffffffff [R]', '0000:ff:1f.7', 'read'],
    ['virtio_iommu virtio1: page fault from EP 131073 at 0xffffffffffffffff [RW]', '0002:00:00.1', undefined],
    ['virtio_iommu virtio1: page fault from EP 8 at 0xffffffffffffffff [RX]', '0000:00:01.0', 'read'],
  ])('reads %s', (message, device, access) => {
    expect(parseVirtioReport(message)).toMatchObject({ device, access, iova: 0xffff_ffff_ffff_ffffn })
  })

  test('reads a report without an address', () => {
    expect(parseVirtioReport('virtio_iommu virtio0: unknown fault from EP 16')).toMatchObject({
      device: '0000:00:02.0',
      iova: undefined,
      access: undefined,
      reason: 'unknown fault',
    })
  })

  test.each([
    'virtio_iommu virtio0: page fault from EP 4294967296 at 0x0 []',
    'virtio_iommu virtio0: page fault from EP 16 at 0x11112222333344445 []',
    'virtio_iommu virtio0: page fault from EP 16 at 0x50000004',
    'virtio_iommu virtio0: page fault from EP -1 at 0x50000004 []',
    'virtio_iommu virtio0: input address: 64 bits',
    'virtio_net virtio0: page fault from EP 16 at 0x50000004 []',
  ])('passes over %s', (message) => {
    expect(parseVirtioReport(message)).toBeUndefined()
  })
})
