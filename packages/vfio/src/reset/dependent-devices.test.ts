import { expect, it } from 'vitest'
import { parseDependentDevices } from './dependent-devices.ts'

function answer(flags: number, count: number, devices: readonly (readonly [number, number, number, number])[]) {
  const view = new DataView(new ArrayBuffer(12 + devices.length * 8))
  view.setUint32(4, flags, true)
  view.setUint32(8, count, true)
  devices.forEach(([number, segment, bus, devfn], index) => {
    view.setUint32(12 + index * 8, number, true)
    view.setUint16(16 + index * 8, segment, true)
    view.setUint8(18 + index * 8, bus)
    view.setUint8(19 + index * 8, devfn)
  })
  return new Uint8Array(view.buffer)
}

it('reads groups', () => {
  const bytes = answer(0, 2, [
    [5, 0, 1, 0x08],
    [6, 0xabcd, 0xff, 0xff],
  ])
  expect(parseDependentDevices(bytes)).toEqual([
    { address: '0000:01:01.0', group: 5, ofContext: undefined },
    { address: 'abcd:ff:1f.7', group: 6, ofContext: undefined },
  ])
})

it('reads whose devices are: with a number, by their group, and not', () => {
  const bytes = answer(1, 3, [
    [2, 0, 1, 0],
    [0, 0, 1, 1],
    [0xffff_ffff, 0, 1, 2],
  ])
  expect(parseDependentDevices(bytes)).toEqual([
    { address: '0000:01:00.0', group: undefined, ofContext: true },
    { address: '0000:01:00.1', group: undefined, ofContext: true },
    { address: '0000:01:00.2', group: undefined, ofContext: false },
  ])
})

it('reads no further than there is', () => {
  expect(parseDependentDevices(answer(0, 9, [[5, 0, 1, 0]]))).toHaveLength(1)
})
