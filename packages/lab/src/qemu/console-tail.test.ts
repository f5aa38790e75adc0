import { expect, test } from 'vitest'
import { ConsoleTail } from './console-tail.ts'

test('the last lines, without control sequences', () => {
  const tail = new ConsoleTail()
  tail.push(Buffer.from('\x1bc\x1b[?7l\x1b[2JSeaBIOS\r\n'))
  tail.push(Buffer.from('one\r\ntwo\r\n'))
  expect(tail.tail(2)).toBe('one\ntwo')
  expect(tail.tail()).toBe('SeaBIOS\none\ntwo')
})

test('a panic is recognised, also when it comes in pieces', () => {
  const tail = new ConsoleTail()
  expect(tail.panic).toBeUndefined()
  tail.push(Buffer.from('[ 1.0] Kernel panic - not '))
  tail.push(Buffer.from('syncing: sysrq triggered crash\r\n[ 1.1] CPU: 0'))
  expect(tail.panic).toBe('sysrq triggered crash')
})

test('only the end is kept', () => {
  const tail = new ConsoleTail(100)
  for (let line = 0; line < 1000; line++) tail.push(Buffer.from(`line ${line}\n`))
  expect(tail.tail(1000).length).toBeLessThan(210)
  expect(tail.tail(1)).toBe('line 999')
})
