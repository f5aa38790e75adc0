import type { DomainHandle } from '../handles.ts'
import type { World } from '../world.ts'
import type { Action } from './action.ts'

/** Domains and what is mapped in them. */
export const domainActions: readonly Action[] = [
  {
    name: 'open a domain',
    weight: 6,
    async act(world) {
      const open = world.domains.filter(({ model }) => model.state === 'open')
      if (open.length < 2) await world.call('Domain.open', undefined, () => world.openDomain())
    },
  },
  {
    name: 'close a domain',
    weight: 3,
    async act(world) {
      const domain = pickDomain(world)
      if (domain === undefined) return
      await world.call(`${name(domain)}.close`, undefined, () => domain.real.close())
      domain.model.close()
      world.same(`${name(domain)}.closed`, domain.real.closed, true)
    },
  },
  {
    name: 'look at a domain',
    weight: 6,
    async act(world) {
      const domain = pickDomain(world)
      if (domain === undefined) return
      const { state, devices, mappings, pinnedBytes } = domain.real.snapshot()
      const { model } = domain
      world.note(`${name(domain)}.snapshot → done`)
      world.same(`${name(domain)}, its state`, state, model.state)
      world.same(`${name(domain)}, devices`, devices.length, model.devices.size)
      world.same(`${name(domain)}, mappings`, mappings.length, model.ranges.length)
      world.same(`${name(domain)}, pinned bytes`, pinnedBytes, model.pinned)
    },
  },
]

/** A domain; at times one that was closed. */
export function pickDomain(world: World): DomainHandle | undefined {
  const { dice, domains } = world
  if (dice.chance(0.1)) return dice.pick(domains)
  return dice.pick(domains.filter(({ model }) => model.state !== 'closed'))
}

export function name({ real }: DomainHandle): string {
  return `domain ${real.id}`
}
