import { Errno } from '@openbar/linux'
import { expect, it } from 'vitest'
import { attempt } from './attempt.ts'

const answering = (...answers: readonly number[]) => {
  const left = [...answers]
  return { left, request: () => (left.length > 1 ? left.shift()! : left[0]!) }
}

it('asks again while something is locked', () => {
  const { left, request } = answering(-Errno.EAGAIN, -Errno.EBUSY, 0)
  expect(attempt(request)).toBe(0)
  expect(left).toEqual([0])
})

it('takes any other refusal at once', () => {
  const { left, request } = answering(-Errno.EINVAL, 0)
  expect(attempt(request)).toBe(-Errno.EINVAL)
  expect(left).toEqual([0])
})

it('ends, and answers what it heard last', () => {
  let asked = 0
  const result = attempt(() => {
    asked += 1
    return -Errno.EAGAIN
  })
  expect([result, asked]).toEqual([-Errno.EAGAIN, 40])
})
