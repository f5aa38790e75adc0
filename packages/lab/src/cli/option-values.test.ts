import { expect, test } from 'vitest'
import { parseDevice, parseDuration, parseMemory, parseNic } from './option-values.ts'

test.each([
  ['e1000', { model: 'e1000' }],
  ['e1000e,net=hub', { model: 'e1000e', net: { hub: 0 } }],
  ['e1000e,net=hub:2,bus=bridge,id=left', { model: 'e1000e', net: { hub: 2 }, bus: 'bridge', id: 'left' }],
  ['e1000,net=none,mac=52:54:00:aB:cd:ef', { model: 'e1000', net: 'none', mac: '52:54:00:aB:cd:ef' }],
  [
    'e1000,net=socket:udp=127.0.0.1:1,localaddr=127.0.0.1:2,init-vet=on',
    {
      model: 'e1000',
      net: { socket: { udp: '127.0.0.1:1', localaddr: '127.0.0.1:2' } },
      properties: { 'init-vet': 'on' },
    },
  ],
])('--nic %s', (text, option) => {
  expect(parseNic(text)).toEqual(option)
})

test('--device passes on what it does not know, with doubled commas as one', () => {
  expect(parseDevice('edu,bus=port,x=a,,b')).toEqual({ model: 'edu', bus: 'port', properties: { x: 'a,b' } })
})

test.each([
  ['', 'it must begin with the name of a model'],
  ['net=user', 'it must begin with the name of a model'],
  ['e1000,fast', '"fast" is not of the form key=value'],
  ['e1000,bus=pci.0', 'bus is root, port or bridge, not "pci.0"'],
  ['e1000,net=tap', 'net is user, hub, hub:NUMBER, socket:KEY=VALUE or none, not "tap"'],
  ['e1000,mac=1:2', '"1:2" is not a MAC address'],
])('--nic "%s" is refused', (text, message) => {
  expect(() => parseNic(text)).toThrow(message)
})

test('times and sizes', () => {
  expect(['90', '90s', '1.5m', '500ms', '1h'].map((text) => parseDuration(text, '-t'))).toEqual([
    90e3, 90e3, 90e3, 500, 36e5,
  ])
  expect(['512', '512M', '4G', '4GiB'].map((text) => parseMemory(text, '-m'))).toEqual([512, 512, 4096, 4096])
})
