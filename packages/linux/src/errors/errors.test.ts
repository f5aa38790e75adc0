import { readFileSync } from 'node:fs'
import { describe, expect, expectTypeOf, test } from 'vitest'
import { Errno, errnoName, errnoOf, errnoText } from './errno.ts'
import type { Culprit } from './error-contexts.ts'
import { invalidArgument } from './invalid-argument.ts'
import { isOpenbarError } from './is-openbar-error.ts'
import { OpenbarError } from './openbar-error.ts'
import { syscallError } from './syscall-error.ts'

const notViable = () =>
  new OpenbarError('ERR_GROUP_NOT_VIABLE', {
    message: 'Group 12 is not viable: 0000:00:1f.2 is bound to ahci.',
    hint: 'Unbind it.',
    context: { group: 12, culprits: [{ address: '0000:00:1f.2', driver: 'ahci' }] },
  })

describe('OpenbarError', () => {
  test('says what happened and then what to do next', () => {
    const error = notViable()
    expect(error.message).toBe('Group 12 is not viable: 0000:00:1f.2 is bound to ahci. Unbind it.')
    expect(error.hint).toBe('Unbind it.')
    expect(error.code).toBe('ERR_GROUP_NOT_VIABLE')
    expect(error.context.culprits).toEqual([{ address: '0000:00:1f.2', driver: 'ahci' }])
    expect(error).toBeInstanceOf(Error)
    expect(error.stack).toMatch(/^OpenbarError: Group 12|^Error: Group 12/)
  })

  test('has the system error fields and the cause only where there are any', () => {
    expect(notViable()).not.toHaveProperty('errno')
    expect(notViable()).not.toHaveProperty('syscall')
    expect(notViable()).not.toHaveProperty('cause')
    const cause = new Error('first')
    const error = new OpenbarError('ERR_PERMISSION', {
      message: 'No.',
      context: { target: '/dev/iommu' },
      errno: 13,
      syscall: 'open',
      cause,
    })
    expect(error).toMatchObject({ errno: 13, syscall: 'open', cause, message: 'No.', hint: undefined })
  })
})

describe('isOpenbarError', () => {
  test('tells the class and the code, and narrows the context', () => {
    const error: unknown = notViable()
    expect(isOpenbarError(error)).toBe(true)
    expect(isOpenbarError(error, 'ERR_TIMEOUT')).toBe(false)
    expect(isOpenbarError(Object.assign(new Error('no'), { code: 'ERR_TIMEOUT' }), 'ERR_TIMEOUT')).toBe(false)
    expect(isOpenbarError(undefined)).toBe(false)
    if (!isOpenbarError(error, 'ERR_GROUP_NOT_VIABLE')) throw new Error('not recognised')
    expectTypeOf(error.context.culprits).toEqualTypeOf<readonly Culprit[]>()
  })
})

describe('syscallError', () => {
  test('names the call, the target and the error number', () => {
    const error = syscallError('ioctl(VFIO_DEVICE_RESET)', Errno.ENOTTY, '0000:00:02.0', 'Do without.')
    expect(error).toMatchObject({
      code: 'ERR_SYSCALL',
      errno: 25,
      syscall: 'ioctl(VFIO_DEVICE_RESET)',
      context: { target: '0000:00:02.0' },
    })
    expect(error.message).toBe(
      'ioctl(VFIO_DEVICE_RESET) on 0000:00:02.0 failed: ENOTTY, inappropriate ioctl for device. Do without.',
    )
  })
})

describe('invalidArgument', () => {
  test.each([
    [-1, '-1'],
    [5n, '5n'],
    ['x', "'x'"],
    [undefined, 'undefined'],
    [{ deep: { er: 1 } }, '{ deep: [Object] }'],
  ])('shows what was given, %#', (value, shown) => {
    const error = invalidArgument('size', value, 'a positive number of bytes')
    expect(error.message).toBe(`size must be a positive number of bytes, not ${shown}.`)
    expect(error.context).toEqual({ argument: 'size', value })
  })
})

describe('errno', () => {
  test.each([
    [Errno.EBUSY, 'EBUSY'],
    [Errno.EAGAIN, 'EAGAIN'],
    [Errno.EOPNOTSUPP, 'ENOTSUP'],
    [116, 'ESTALE'],
    [999, 'errno 999'],
  ])('names %i %s', (errno, name) => {
    expect(errnoName(errno)).toBe(name)
  })

  test('has the numbers of Linux', () => {
    expect([Errno.ENOTTY, Errno.ENOSPC, Errno.EMSGSIZE, Errno.EEXIST]).toEqual([25, 28, 90, 17])
  })

  test('has the words for them', () => {
    expect(errnoText(Errno.EBUSY)).toBe('resource busy or locked')
    expect(errnoText(999)).toBe('unknown error')
  })

  test('reads the number of an error that Node threw, as a positive one', () => {
    let thrown: unknown
    try {
      readFileSync('/nowhere/at/all')
    } catch (error) {
      thrown = error
    }
    expect(errnoOf(thrown)).toBe(Errno.ENOENT)
    expect(errnoOf(new Error('plain'))).toBeUndefined()
    expect(errnoOf({ errno: 2 })).toBeUndefined()
  })
})
