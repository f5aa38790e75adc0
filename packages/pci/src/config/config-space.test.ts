import { describe, expect, it } from 'vitest'
import { BufferAccess } from '../access/buffer-access.ts'
import { configBytes, e1000Dump, e1000eDump, rootPortDump } from '../testing/config-dumps.ts'
import { ConfigSpace } from './config-space.ts'

function open(dump: string): ConfigSpace {
  return new ConfigSpace(new BufferAccess(configBytes(dump)))
}

describe('the header', () => {
  it('has the names and values of the specification', () => {
    expect(open(e1000Dump)).toMatchObject({
      vendorId: 0x8086,
      deviceId: 0x100e,
      revisionId: 3,
      classCode: 0x020000,
      headerType: 0,
      multiFunction: false,
      subsystemVendorId: 0x1af4,
      subsystemId: 0x1100,
      interruptPin: 1,
      interruptLine: 0,
      cacheLineSize: 0,
      latencyTimer: 0,
      bist: 0,
    })
    expect(open(e1000eDump).capabilitiesPointer).toBe(0xc8)
  })

  it('knows bridges, which have no subsystem registers', () => {
    const bridge = open(rootPortDump)
    expect([bridge.headerType, bridge.classCode, bridge.subsystemId]).toEqual([1, 0x060400, undefined])
    expect([bridge.subsystemVendorId, bridge.baseAddresses]).toEqual([undefined, []])
  })

  it('reads base addresses of every kind', () => {
    const config = open(e1000eDump)
    config.access.write32(0x10, 0xfebc_0000)
    config.access.write32(0x14, 0x0000_000c)
    config.access.write32(0x18, 0x0000_0060)
    config.access.write32(0x1c, 0x0000_c001)
    config.access.write32(0x24, 0x8000_0004)
    expect(config.baseAddresses).toEqual([
      { index: 0, kind: 'memory32', prefetchable: false, address: 0xfebc0000n },
      { index: 1, kind: 'memory64', prefetchable: true, address: 0x60_0000_0000n },
      { index: 3, kind: 'io', prefetchable: false, address: 0xc000n },
      { index: 5, kind: 'memory32', prefetchable: false, address: 0x8000_0000n },
    ])
  })

  it('needs 64 bytes', () => {
    expect(() => new ConfigSpace(new BufferAccess(new Uint8Array(63)))).toThrow(/at least 64 bytes/)
  })
})

describe('command and status', () => {
  it.each([
    ['ioSpaceEnable', 0x0001],
    ['memorySpaceEnable', 0x0002],
    ['busMasterEnable', 0x0004],
    ['parityErrorResponse', 0x0040],
    ['serrEnable', 0x0100],
    ['interruptDisable', 0x0400],
  ] as const)('%s is a bit of its own', (name, mask) => {
    const { command } = open(e1000eDump)
    command[name] = true
    expect([command.value, command[name]]).toEqual([mask, true])
    command.value = 0xffff
    command[name] = false
    expect([command.value, command[name]]).toEqual([0xffff & ~mask, false])
  })

  it('leaves status alone when command is written', () => {
    const config = open(e1000eDump)
    config.access.write16(0x06, 0xf910)
    config.command.busMasterEnable = true
    expect(config.access.read16(0x06)).toBe(0xf910)
  })

  it('decodes status, and clears errors with ones', () => {
    const { status, access } = open(e1000eDump)
    expect([status.capabilitiesList, status.interruptStatus, status.receivedMasterAbort]).toEqual([true, false, false])
    access.write16(0x06, 0xf908)
    expect(status).toMatchObject({
      capabilitiesList: false,
      interruptStatus: true,
      masterDataParityError: true,
      signaledTargetAbort: true,
      receivedTargetAbort: true,
      receivedMasterAbort: true,
      signaledSystemError: true,
      detectedParityError: true,
    })
    status.clearErrors()
    expect(access.read16(0x06)).toBe(0xf900)
  })
})
