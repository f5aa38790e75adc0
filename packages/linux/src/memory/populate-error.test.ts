import { expect, test } from 'vitest'
import { Errno } from '../errors/errno.ts'
import { PAGE_SIZE } from './page-size.ts'
import { populateError } from './populate-error.ts'

const HUGE = 2 * 1024 ** 2
const syscall = 'madvise(MADV_POPULATE_WRITE)'

test('hugepages that were reserved and cannot be had: a limit stands in the way', () => {
  const memory = { size: 2 * HUGE, pageSize: HUGE, what: 'the ring' }
  const error = populateError(Errno.EFAULT, memory, { total: 4, free: 4, reserved: 0 })
  expect(error).toMatchObject({
    code: 'ERR_NO_HUGEPAGES',
    context: { pageSize: HUGE, need: 2, free: 4, total: 4 },
    errno: Errno.EFAULT,
    syscall,
  })
  expect(error.message).toContain('a limit stands in the way')
})

test('plain pages that would be a bus error: the file system is full, or the file shorter', () => {
  const memory = { size: PAGE_SIZE, pageSize: PAGE_SIZE, what: '/dev/shm/ring' }
  const error = populateError(Errno.EFAULT, memory, undefined)
  expect(error).toMatchObject({ code: 'ERR_SYSCALL', syscall, context: { target: '/dev/shm/ring' } })
  expect(error.hint).toContain('full')
})

test('no memory left, and a kernel without the call', () => {
  const memory = { size: PAGE_SIZE, pageSize: PAGE_SIZE, what: 'the ring' }
  expect(populateError(Errno.ENOMEM, memory, undefined)).toMatchObject({ code: 'ERR_SYSCALL', errno: Errno.ENOMEM })
  expect(populateError(Errno.EINVAL, memory, undefined).message).toContain('5.14')
})
