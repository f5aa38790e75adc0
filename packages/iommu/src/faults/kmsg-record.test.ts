import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseKmsgRecord } from './kmsg-record.ts'

// Read from /dev/kmsg of Linux 6.12.95 and 6.1.176.
describe('parseKmsgRecord', () => {
  test('reads number, time and message', () => {
    expect(parseKmsgRecord('4,409,25829251,-;dmar_fault: 83 callbacks suppressed\n')).toEqual({
      facility: 0,
      sequence: 409,
      at: 25_829_251,
      message: 'dmar_fault: 83 callbacks suppressed',
    })
  })

  test('leaves key-value pairs out', () => {
    const text =
      '3,345,26844368,-;virtio_iommu virtio0: page fault from EP 24 at 0x70000010 [W]\n SUBSYSTEM=virtio\n DEVICE=+virtio:virtio0\n'
    expect(parseKmsgRecord(text)?.message).toBe('virtio_iommu virtio0: page fault from EP 24 at 0x70000010 [W]')
  })

  test('passes over more fields of the header, and keeps semicolons of the message', () => {
    expect(parseKmsgRecord('6,1,2,-,caller=T1;a;b')).toEqual({ facility: 0, sequence: 1, at: 2, message: 'a;b' })
  })

  test('tells who wrote it', () => {
    expect(parseKmsgRecord('12,1,2,-;systemd[1]: Started.\n')?.facility).toBe(1)
    expect(parseKmsgRecord('131,1,2,-;x\n')?.facility).toBe(16)
  })

  test.each(['', '\n', ';', '3,1,2', '3,1;x', '3,,2,-;x', 'x,1,2,-;y', '3,1,2,-\n;x', ' 3,1,2,-;x'])(
    'refuses %j',
    (text) => {
      expect(parseKmsgRecord(text)).toBeUndefined()
    },
  )

  test('takes any text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(parseKmsgRecord(`3,1,2,-;${text}`)?.message).toBe(text.split('\n')[0])
        parseKmsgRecord(text)
      }),
    )
  })
})
