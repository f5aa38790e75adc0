import type { ErrorCode } from '@openbar/linux'
import { Device } from '@openbar/vfio'
import { busMastering } from '../bus-mastering.ts'
import type { DeviceHandle, DomainHandle } from '../handles.ts'
import { DeviceModel } from '../model/device-model.ts'
import { DomainModel } from '../model/domain-model.ts'
import type { NicFacts } from '../model/facts.ts'
import type { World } from '../world.ts'
import type { Action } from './action.ts'
import { name as nameOf, pickDomain } from './domains.ts'

/** Devices, and the domains that they are in. */
export const deviceActions: readonly Action[] = [
  {
    name: 'open a device',
    weight: 5,
    async act(world) {
      const facts = world.dice.pick(world.nics)!
      // A second one at the same address is tried at times.
      const has = world.devices.some(({ model }) => model.facts === facts && !model.closed)
      if (has && world.dice.chance(0.5)) return
      const domain = world.dice.chance(0.2) ? undefined : pickDomain(world)
      const what = `Device.open(${facts.model}, ${domain === undefined ? 'private' : nameOf(domain)})`
      const options = domain === undefined ? {} : { domain: domain.real }
      const refusal = joinRefusal(world, facts, domain)
      const made = await world.call(what, refusal, () => Device.open(facts.address, options))
      if (made === undefined) return
      const { value: real } = made
      const model = new DeviceModel(facts)
      const owned = domain?.model ?? new DomainModel(real.domain.backend)
      model.join(owned)
      model.own = domain === undefined
      world.keep(world.devices, { real, model, config: real.config }, (handle) => handle.model.closed)
      if (domain === undefined) world.keep(world.domains, { real: real.domain, model: owned }, isClosed)
    },
  },
  {
    name: 'close a device',
    weight: 2.5,
    async act(world) {
      const device = pickDevice(world)
      if (device === undefined) return
      const { real, model } = device
      await world.call(`${name(device)}.close`, undefined, () => real.close())
      const last = !world.devices.some(
        (other) => other !== device && other.model.facts === model.facts && other.model.domain,
      )
      model.close()
      if (last) world.same(`bus mastering of ${model.facts.model}, closed`, busMastering(model.facts.address), false)
    },
  },
  {
    name: 'set the domain',
    weight: 8,
    async act(world) {
      const device = pickDevice(world)
      const domain = pickDomain(world)
      if (device === undefined || domain === undefined) return
      const { real, model } = device
      const there = model.domain === domain.model
      const refusal = model.closed
        ? 'ERR_CLOSED'
        : there
          ? undefined
          : model.domain === undefined
            ? joinRefusal(world, model.facts, domain)
            : domain.model.refusal
      const done = await world.call(`${name(device)}.setDomain(${nameOf(domain)})`, refusal, () =>
        real.setDomain(domain.real),
      )
      if (done === undefined) return
      if (model.domain === undefined) model.join(domain.model)
      else model.move(domain.model)
      world.same(`${name(device)}.domain`, real.domain, domain.real)
      // A move in one step wakes a device that the kernel has suspended by then.
      if (model.lowPower === 'telling' && !there && !real.power.lowPower) model.exitLowPower()
    },
  },
  {
    name: 'unset the domain',
    weight: 2,
    async act(world) {
      const device = pickDevice(world)
      if (device === undefined) return
      await world.call(`${name(device)}.unsetDomain`, undefined, () => device.real.unsetDomain())
      if (!device.model.closed) device.model.unset()
    },
  },
  {
    name: 'look at a device',
    weight: 20,
    async act(world) {
      const device = pickDevice(world)
      if (device === undefined) return
      const { real, model } = device
      world.same(`${name(device)}.closed`, real.closed, model.closed)
      const domain = await world.call(`${name(device)}.domain`, model.unjoined, () => real.domain)
      if (domain !== undefined)
        world.same('its domain', domain.value, world.domainOf(model.domain!)?.real ?? domain.value)
      const attachment = await world.call(`${name(device)}.attachment`, model.unreachable, () => real.attachment)
      if (attachment !== undefined) {
        world.same('its number', attachment.value.deviceId !== undefined, model.domain!.backend === 'iommufd')
      }
      const info = await world.call(`${name(device)}.info`, model.unreachable, () => real.info)
      if (info !== undefined) world.same('resettable', info.value.resettable, model.facts.resettable)
      const index = world.dice.below(11)
      const regionRefusal = model.unreachable ?? (index >= 9 ? 'ERR_REGION' : undefined)
      const region = await world.call(`${name(device)}.region(${index})`, regionRefusal, () => real.region(index))
      if (region === undefined) return
      world.same('its size', region.value.size, model.facts.regions[index]?.size ?? 0)
      world.keep(world.regions, { real: region.value, device })
    },
  },
]

/** A device; at times one that was closed. */
export function pickDevice(world: World): DeviceHandle | undefined {
  const { dice, devices } = world
  if (dice.chance(0.08)) return dice.pick(devices)
  return dice.pick(devices.filter(({ model }) => !model.closed))
}

export function name({ model }: DeviceHandle): string {
  return model.facts.model
}

/** Why a device that is in no domain cannot join one; `undefined` for a domain: a private one. */
function joinRefusal(world: World, facts: NicFacts, domain: DomainHandle | undefined): ErrorCode | undefined {
  const refusal = domain?.model.refusal
  if (refusal !== undefined) return refusal
  const there = world.devices.flatMap(({ model }) =>
    model.facts === facts && model.domain !== undefined ? [model.domain] : [],
  )
  if (there.length === 0) return undefined
  return there.some((other) => other === domain?.model) ? 'ERR_DEVICE_BUSY' : 'ERR_GROUP_BUSY'
}

function isClosed({ model }: DomainHandle): boolean {
  return model.state === 'closed'
}
