import { Errno, syscallError } from '@openbar/linux'
import { describe, expect, it } from 'vitest'
import { attachError } from './attach-error.ts'

const MAPPINGS = [0x1000, 0x9000].map((start) => ({ start, size: 8192, address: 0x7000, access: 'read' as const }))
const refusal = (errno: number) => syscallError('ioctl(VFIO_DEVICE_ATTACH_IOMMUFD_PT)', errno, '0000:00:02.0')

describe('attachError', () => {
  it.each([
    ['ERR_MEMLOCK', Errno.ENOMEM],
    ['ERR_MEMORY_KIND', Errno.EFAULT],
  ])('is %s when the kernel cannot pin what is mapped', (code, errno) => {
    expect(attachError(refusal(errno), MAPPINGS)).toMatchObject({ code, errno, syscall: refusal(errno).syscall })
  })

  it('needs as much as all mappings together', () => {
    expect(attachError(refusal(Errno.ENOMEM), MAPPINGS)).toMatchObject({ context: { need: 16384n } })
  })

  it.each([
    ['without mappings', refusal(Errno.ENOMEM), []],
    ['for other reasons', refusal(Errno.EBUSY), MAPPINGS],
    ['of another kind', new TypeError('x'), MAPPINGS],
  ])('is the error itself %s', (_name, error, mappings) => {
    expect(attachError(error, mappings)).toBe(error)
  })
})
