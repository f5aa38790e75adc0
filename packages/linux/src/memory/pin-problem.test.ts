import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { MappedMemory } from './mapped-memory.ts'
import { PAGE_SIZE } from './page-size.ts'
import { missingRights, pinProblem } from './pin-problem.ts'

const MAPS = `1000-3000 r--p 00000000 00:00 0 [heap]
3000-4000 rw-p 00000000 00:00 0
5000-6000 ---p 00000000 00:00 0
6000-8000 -w-s 00000000 00:00 0
ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0 [vsyscall]
`

describe('pinProblem', () => {
  it('finds none in memory that is ours', () => {
    const memory = MappedMemory.anonymous(4 * PAGE_SIZE)
    expect(pinProblem(memory.address, memory.size, true)).toBeUndefined()
    expect(pinProblem(memory.address, memory.size, false)).toBeUndefined()
    memory.revoke()
  })

  it('tells what is not mapped, also beyond what a process can have', () => {
    expect(pinProblem(0x1000, PAGE_SIZE, true)).toBe('nothing is mapped at 0x1000 in this process')
    expect(pinProblem(2 ** 47, PAGE_SIZE, false)).toContain('nothing is mapped at 0x800000000000')
    expect(pinProblem(2 ** 64 - PAGE_SIZE, PAGE_SIZE, false)).toContain('nothing is mapped')
  })

  it('tells what cannot be written, and lets it be read', () => {
    // Constants of this program's own libraries.
    const [, from = ''] = /^([\da-f]+)-[\da-f]+ r--p .*\.so/m.exec(readFileSync('/proc/self/maps', 'utf8')) ?? []
    const address = Number.parseInt(from, 16)
    expect(pinProblem(address, PAGE_SIZE, false)).toBeUndefined()
    expect(pinProblem(address, PAGE_SIZE, true)).toBe(`this process cannot write the pages at 0x${from}`)
  })
})

describe('missingRights', () => {
  it.each([
    ['whole', 0x1000, 0x2000, false, undefined],
    ['across two that touch', 0x1000, 0x3000, false, undefined],
    ['a right less in the first', 0x1000, 0x3000, true, 'this process cannot write the pages at 0x1000'],
    ['a hole behind', 0x3000, 0x2000, true, 'nothing is mapped at 0x4000 in this process'],
    ['a hole before', 0x4000, 0x2000, false, 'nothing is mapped at 0x4000 in this process'],
    ['no right at all', 0x5000, 0x1000, false, 'this process cannot read the pages at 0x5000'],
    ['written, never read', 0x6000, 0x2000, true, undefined],
    ['beyond the last', 0x9000, 0x1000, false, 'nothing is mapped at 0x9000 in this process'],
    ['part of one', 0x7000, 0x1000, true, undefined],
  ])('%s', (_name, address, size, write, problem) => {
    expect(missingRights(MAPS, address, size, write)).toBe(problem)
  })
})
