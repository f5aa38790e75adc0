import { Domain, formatWorld, groups, type World, world } from '@openbar/iommu'
import { MappedMemory } from '@openbar/linux'
import { bindDriver } from '@openbar/pci'
import { Device } from '@openbar/vfio'
import { describe, expect, it } from 'vitest'
import { differencesOf } from '../support/backend-differences.ts'
import { backends } from '../support/backends.ts'
import { startChild } from '../support/child.ts'
import { nicAddress } from '../support/nics.ts'

const PAGE = 4096

/** Drives a NIC, as another program would. */
const driving = (address: string, backend: string) => `
  import { Domain } from '@openbar/iommu'
  import { bindDriver } from '@openbar/pci'
import { Device } from '@openbar/vfio'
  const domain = await Domain.open({ backend: '${backend}' })
  globalThis.kept = await Device.open('${address}', { domain })
  console.log('open')`

const groupOf = (state: World, nic: string) =>
  state.groups.find(({ devices }) => devices.some(({ address }) => address === nic))!

describe.each(backends)('the state of the world on %s', (backend) => {
  const [mine, other] = [nicAddress('e1000e'), nicAddress('e1000')]
  const self = { pid: process.pid, command: expect.any(String) }
  const holdersOf = (state: World) => state[backend === 'type1' ? 'containerHolders' : 'iommufdHolders']

  it('tells what this process has: domain, device, mappings, pinned memory', async () => {
    const before = world()
    expect(before.domains).toEqual([])
    expect(before.interfaces[backend]).toBe(true)
    expect(before.unreadableProcesses).toBe(0)
    {
      await using domain = await Domain.open({ backend })
      const memory = MappedMemory.anonymous(4 * PAGE)
      domain.map(memory, { iova: 0x4000_0000, access: 'read' })
      await using device = await Device.open(mine, { domain, bind: true })
      const buffer = domain.allocate(2 * PAGE)
      const state = world()
      expect(state).toMatchObject({
        pid: process.pid,
        domains: [
          {
            backend,
            state: 'open',
            devices: [mine],
            mappings: [
              { iova: buffer.iova, size: 2 * PAGE, access: 'read-write', state: 'mapped', kind: 'buffer' },
              { iova: 0x4000_0000n, size: 4 * PAGE, access: 'read', state: 'mapped', kind: 'mapping' },
            ],
            pinnedBytes: 6 * PAGE,
          },
        ],
      })
      const counted = differencesOf(backend).counts === 'VmPin' ? 'pinned' : 'locked'
      expect(state.memory[counted]).toBe(before.memory[counted] + BigInt(6 * PAGE))
      const group = groupOf(state, mine)
      expect(group).toMatchObject({ id: device.group, viable: true, holders: [self], possibleHolders: [] })
      expect(group.file).toBe(`/dev/vfio/${group.id}`)
      expect(holdersOf(state)).toEqual([self])
      const text = formatWorld(state)
      expect(text).toContain(`devices: ${mine}`)
      expect(text).toMatch(/0x40000000-0x40003fff +16 KiB +read +mapped\n/)
      expect(text).toContain(`group ${group.id} (/dev/vfio/${group.id}): `)
      domain.close()
      expect(world().domains).toMatchObject([{ state: 'closing', devices: [mine] }])
      await device.close()
      memory.revoke()
    }
    const after = world()
    expect(after).toMatchObject({ domains: [], memory: before.memory })
    expect(groupOf(after, mine).holders).toEqual([])
    expect(holdersOf(after)).toEqual(holdersOf(before))
  })

  it('names the process that holds another NIC, until it ends', async () => {
    // The child is killed, and would not give the device back.
    const binding = await bindDriver(other, 'vfio-pci')
    const before = world()
    {
      await using child = await startChild(driving(other, backend))
      const state = world()
      const holder = { pid: child.pid, command: 'node' }
      expect(groupOf(state, other)).toMatchObject({ holders: [holder], possibleHolders: [] })
      expect(groupOf(state, mine)).toMatchObject({ holders: [], possibleHolders: [] })
      expect(holdersOf(state)).toContainEqual(holder)
      expect(state.domains).toEqual([])
      expect(formatWorld(state)).toContain(`held by node (process ${child.pid})`)
    }
    const after = world()
    expect(groupOf(after, other)).toMatchObject({ holders: [], possibleHolders: [] })
    expect(holdersOf(after)).toEqual(holdersOf(before))
    await binding.restore()
  })

  it('lists every group of the machine, with its devices', () => {
    expect(world().groups).toMatchObject(groups())
    expect(groupOf(world(), mine).devices).toContainEqual(expect.objectContaining({ address: mine }))
  })
})
