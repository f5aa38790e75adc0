import { fstatSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { Errno } from '../errors/errno.ts'
import { thrownBy } from '../testing/thrown-by.ts'
import { EventFd } from './event-fd.ts'

describe('EventFd', () => {
  test('counts, and starts again at zero when taken', () => {
    using event = new EventFd()
    expect(event.take()).toBe(0)
    event.signal()
    event.signal(41)
    expect(event.take()).toBe(42)
    expect(event.take()).toBe(0)
  })

  test('keeps counters apart', () => {
    using one = new EventFd()
    using two = new EventFd()
    one.signal(3)
    expect([one.take(), two.take()]).toEqual([3, 0])
  })

  test.each([0, -1, 1.5, Number.NaN, 2 ** 53])('refuses to signal %d times', (count) => {
    using event = new EventFd()
    expect(thrownBy(() => event.signal(count))).toMatchObject({
      code: 'ERR_INVALID_ARGUMENT',
      context: { argument: 'count', value: count },
    })
    expect(event.take()).toBe(0)
  })

  test('throws when closed, and closes once', () => {
    const event = new EventFd()
    const { fd } = event
    fstatSync(fd)
    event.close()
    expect(() => fstatSync(fd)).toThrow('EBADF')
    expect(thrownBy(() => event.take()).code).toBe('ERR_CLOSED')
    expect(thrownBy(() => event.signal()).code).toBe('ERR_CLOSED')
    // The number goes to the next that opens one; a second close must leave it alone.
    using next = new EventFd()
    event.close()
    next.signal()
    expect(next.fd).toBe(fd)
    expect(next.take()).toBe(1)
  })

  test('names the counter when the kernel refuses', () => {
    using event = new EventFd()
    event.signal(Number.MAX_SAFE_INTEGER)
    let error: unknown
    for (let times = 0; times < 3000 && error === undefined; times += 1) {
      try {
        event.signal(Number.MAX_SAFE_INTEGER)
      } catch (thrown) {
        error = thrown
      }
    }
    expect(error).toMatchObject({ code: 'ERR_SYSCALL', errno: Errno.EAGAIN, syscall: 'write' })
  })
})
