import { describe, expect, test } from 'vitest'
import { parseIntelReport } from './intel-report.ts'

describe('parseIntelReport', () => {
  // Seen on Linux 6.12.95 and 6.1.176; the addresses are masked to their page.
  test.each([
    [
      'DMAR: [DMA Write NO_PASID] Request device [00:02.0] fault addr 0x50000000 [fault reason 0x05] PTE Write access is not set',
      { device: '0000:00:02.0', iova: 0x5000_0000n, access: 'write', code: 5, reason: 'PTE Write access is not set' },
    ],
    [
      'DMAR: [DMA Read NO_PASID] Request device [00:03.0] fault addr 0x60000000 [fault reason 0x06] PTE Read access is not set',
      { device: '0000:00:03.0', iova: 0x6000_0000n, access: 'read', code: 6, reason: 'PTE Read access is not set' },
    ],
  ])('reads %s', (message, fault) => {
    expect(parseIntelReport(message)).toEqual({ kind: 'fault', iommu: 'intel', ...fault })
  })

  // As the sources of other kernels print it.
  test.each([
    // 4.18
    ['DMAR: [DMA Read] Request device [af:1f.7] fault addr fffff000 [fault reason 06] PTE Read access is not set', 6],
    // 5.6
    ['DMAR: [DMA Read] Request device [af:1f.7] PASID ffffffff fault addr fffff000 [fault reason 12] Unknown', 12],
    // 5.14
    ['DMAR: [DMA Read NO_PASID] Request device [0xaf:0x1f.7] fault addr 0xfffff000 [fault reason 0x12] Unknown', 0x12],
    // with a process address space
    [
      'DMAR: [DMA Read PASID 0x1f] Request device [af:1f.7] fault addr 0xfffff000 [fault reason 0x71] SM: Present',
      0x71,
    ],
  ])('reads %s', (message, code) => {
    expect(parseIntelReport(message)).toMatchObject({
      device: '0000:af:1f.7',
      iova: 0xffff_f000n,
      access: 'read',
      code,
    })
  })

  test('reads the highest address', () => {
    const message =
      'DMAR: [DMA Write NO_PASID] Request device [00:02.0] fault addr 0xfffffffffffff000 [fault reason 0x04] Access beyond MGAW'
    expect(parseIntelReport(message)).toMatchObject({ iova: 0xffff_ffff_ffff_f000n })
  })

  test('tells of an overflow, and of no other status', () => {
    expect(parseIntelReport('DMAR: DRHD: handling fault status reg 3')).toEqual({
      kind: 'lost',
      cause: 'iommu-overflow',
      count: undefined,
    })
    expect(parseIntelReport('DMAR: DRHD: handling fault status reg 2')).toBeUndefined()
    expect(parseIntelReport('DMAR: DRHD: handling fault status reg 40')).toBeUndefined()
  })

  test.each([
    'DMAR: [INTR-REMAP] Request device [00:02.0] fault index 0x5 [fault reason 0x22] Present field in the IRTE entry is clear',
    'DMAR: Dump dmar0 table entries for IOVA 0x50000000',
    'DMAR: pte level: 1, pte value: 0x0000000007781001',
    'DMAR: [DMA Write NO_PASID] Request device [00:02.0] fault addr 0x50000000',
    'DMAR: [DMA Write NO_PASID] Request device [00:22.0] fault addr 0x50000000 [fault reason 0x05] no such slot',
    'DMAR: [DMA Write NO_PASID] Request device [00:02.8] fault addr 0x50000000 [fault reason 0x05] no such function',
    'DMAR: [DMA Write NO_PASID] Request device [00:02.0] fault addr 0x11112222333344445 [fault reason 0x05] 65 bits',
    'quote: DMAR: [DMA Write NO_PASID] Request device [00:02.0] fault addr 0x0 [fault reason 0x05] PTE Write access is not set',
  ])('passes over %s', (message) => {
    expect(parseIntelReport(message)).toBeUndefined()
  })
})
