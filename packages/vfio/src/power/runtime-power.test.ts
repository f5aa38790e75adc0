import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { lacksRuntimePower, readRuntimePower } from './runtime-power.ts'

const ADDRESS = '0000:00:02.0'
let devices: string
beforeEach(() => {
  devices = mkdtempSync(join(tmpdir(), 'openbar-power-'))
})
afterEach(() => rmSync(devices, { recursive: true }))

function write(files: Record<string, string>) {
  mkdirSync(join(devices, ADDRESS, 'power'), { recursive: true })
  for (const [name, text] of Object.entries(files)) writeFileSync(join(devices, ADDRESS, name), `${text}\n`)
}

it('reads what the kernel says', () => {
  write({ vendor: '0x8086', power_state: 'D3cold', 'power/runtime_status': 'suspended' })
  expect(readRuntimePower(ADDRESS, devices)).toEqual({ status: 'suspended', state: 'D3cold' })
  expect(lacksRuntimePower(ADDRESS, devices)).toBe(false)
})

it('tells a kernel without runtime power management from a program without sysfs', () => {
  expect(lacksRuntimePower(ADDRESS, devices)).toBe(false)
  write({ vendor: '0x8086', power_state: 'D0' })
  expect(readRuntimePower(ADDRESS, devices)).toEqual({ status: undefined, state: 'D0' })
  expect(lacksRuntimePower(ADDRESS, devices)).toBe(true)
})
