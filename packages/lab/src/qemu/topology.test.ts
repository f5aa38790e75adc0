import { expect, test } from 'vitest'
import { layOut } from './topology.ts'

const addresses = (options: Parameters<typeof layOut>[0]) =>
  layOut(options).devices.map(({ id, address }) => `${id} ${address}`)

test('devices on the root bus stand from 00:02.0 on, NICs first', () => {
  expect(addresses({ nics: ['e1000', 'e1000e'], devices: ['edu'] })).toEqual([
    'nic0 0000:00:02.0',
    'nic1 0000:00:03.0',
    'dev0 0000:00:04.0',
  ])
})

test('each root port is a bus of its own, the bridge is one for all, numbered in the order of their slots', () => {
  const nics = [
    { model: 'e1000', bus: 'port' },
    { model: 'e1000', bus: 'bridge' },
    { model: 'e1000e' },
    { model: 'e1000e', bus: 'port' },
    { model: 'e1000e', bus: 'bridge' },
  ] as const
  expect(addresses({ nics })).toEqual([
    'nic0 0000:01:00.0',
    'nic1 0000:02:01.0',
    'nic2 0000:00:04.0',
    'nic3 0000:03:00.0',
    'nic4 0000:02:02.0',
  ])
})

test('what QEMU is told for a NIC', () => {
  const { args } = layOut({
    nics: [{ model: 'e1000e', mac: '52:54:00:00:00:09', net: { hub: 3 }, properties: { 'init-vet': 'on' } }],
  })
  expect(args).toEqual([
    ...['-netdev', 'hubport,id=net0,hubid=3'],
    ...['-device', 'e1000e,id=nic0,bus=pcie.0,addr=0x2,netdev=net0,mac=52:54:00:00:00:09,romfile=,init-vet=on'],
  ])
})

test('networks: user is the default, sockets take any option, none has no peer', () => {
  const nic = (net: Parameters<typeof layOut>[0]['nics']) => layOut({ nics: net! }).args.slice(0, 2)
  expect(nic(['e1000'])).toEqual(['-netdev', 'user,id=net0'])
  expect(nic([{ model: 'e1000', net: { socket: { listen: ':99' } } }])).toEqual([
    '-netdev',
    'socket,id=net0,listen=:99',
  ])
  expect(layOut({ nics: [{ model: 'e1000', net: 'none' }] }).args.join(' ')).not.toContain('netdev')
})

test('spare ports come last and hold no device', () => {
  const { args, devices } = layOut({ nics: ['e1000'], sparePorts: 2 })
  expect(devices).toHaveLength(1)
  expect(args.filter((arg) => arg.startsWith('pcie-root-port'))).toEqual([
    'pcie-root-port,id=spare0,bus=pcie.0,addr=0x3,chassis=3,slot=3',
    'pcie-root-port,id=spare1,bus=pcie.0,addr=0x4,chassis=4,slot=4',
  ])
})

test('too many devices: the error names the one that found no slot', () => {
  const nics = Array.from({ length: 25 }, () => 'e1000')
  expect(() => layOut({ nics })).toThrow('There is no slot on the root bus for e1000 (nic24)')
  expect(() => layOut({ nics: nics.map((model) => ({ model, bus: 'bridge' })) })).not.toThrow()
})
