import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseFaultEvent } from './parse-fault-event.ts'

const kernel = (message: string) => parseFaultEvent({ facility: 0, sequence: 1, at: 77, message })

const LINES = [
  'DMAR: [DMA Write NO_PASID] Request device [00:02.0] fault addr 0x50000000 [fault reason 0x05] PTE Write access is not set',
  'AMD-Vi: Event logged [IO_PAGE_FAULT device=0000:00:02.0 domain=0x0001 address=0x7f001000 flags=0x0020]',
  'virtio_iommu virtio0: page fault from EP 16 at 0x50000004 [W]',
] as const

describe('parseFaultEvent', () => {
  test.each(LINES)('knows the driver of %s', (message) => {
    expect(kernel(message)).toMatchObject({ kind: 'fault', device: '0000:00:02.0', access: 'write', at: 77 })
  })

  test.each([1, 16])('believes the kernel only, not facility %i', (facility) => {
    expect(parseFaultEvent({ facility, sequence: 1, at: 77, message: LINES[0] })).toBeUndefined()
  })

  // The first two were seen on Linux 6.12.95 and 6.1.176.
  test.each([
    ['dmar_fault: 83 callbacks suppressed', 83],
    ['viommu_fault_handler: 790 callbacks suppressed', 790],
    ['amd_iommu_report_page_fault: 1 callbacks suppressed', 1],
  ])('knows that reports were hidden: %s', (message, count) => {
    expect(kernel(message)).toEqual({ kind: 'lost', cause: 'rate-limit', count, at: 77 })
  })

  test.each(['net_ratelimit: 23807 callbacks suppressed', 'vfio-pci 0000:00:03.0: Adding to iommu group 4', ''])(
    'passes over %j',
    (message) => {
      expect(kernel(message)).toBeUndefined()
    },
  )

  test('takes any text, and lines with something cut out or put in, in a time that grows with their length', () => {
    const mutated = fc
      .tuple(fc.constantFrom(...LINES), fc.nat(200), fc.nat(40), fc.string({ unit: 'binary', maxLength: 40 }))
      .map(([line, start, count, text]) => line.slice(0, start) + text + line.slice(start + count))
    fc.assert(
      fc.property(fc.oneof(mutated, fc.string({ unit: 'binary' })), (message) => {
        const event = kernel(message)
        if (event?.kind !== 'fault') return
        expect(event.device).toMatch(/^[\da-f]{4,8}:[\da-f]{2}:[01][\da-f]\.[0-7]$/)
        expect(event.iova ?? 0n).toBeLessThan(2n ** 64n)
        expect(event.reason.length).toBeLessThan(200)
      }),
    )
    const started = performance.now()
    for (const line of LINES) for (const end of [5, 12, 40, 60]) kernel(line.slice(0, end) + ' [0x'.repeat(200_000))
    expect(performance.now() - started).toBeLessThan(2000)
  })
})
