import { readdirSync } from 'node:fs'
import { expect, test } from 'vitest'
import { Domain } from '../domain.ts'
import { groups } from '../groups/groups.ts'
import { FakeBackend } from '../testing/fake-backend.ts'
import { formatWorld } from './format-world.ts'
import { world } from './world.ts'

test('world tells of this process and this machine, and leaves nothing open', () => {
  const domain = Domain.over(new FakeBackend())
  const open = () => readdirSync('/proc/self/fd').length
  const before = open()
  const { pid, domains, memory, groups: found } = world()
  expect(open()).toBe(before)
  expect(pid).toBe(process.pid)
  expect(domains).toEqual([domain.snapshot()])
  expect(memory.locked).toBeGreaterThanOrEqual(0n)
  expect(found).toMatchObject(groups())
  domain.close()
  expect(world().domains).toEqual([])
})

test('each call looks anew', () => {
  expect(formatWorld(world())).toContain('no domains')
  const domain = Domain.over(new FakeBackend())
  expect(formatWorld(world())).not.toContain('no domains')
  domain.close()
})
