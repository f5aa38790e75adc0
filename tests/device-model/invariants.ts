import { setImmediate as turn } from 'node:timers/promises'
import { type Census, takeCensus } from './census.ts'
import { Deviation } from './deviation.ts'
import { WindowModel } from './model/view-model.ts'
import type { World } from './world.ts'

/** How long what the kernel or the event loop does later may take. */
const PATIENCE_MS = 5000

/** Waits until everybody has been told what the model says, and nothing more. */
export async function assertHeard(world: World): Promise<void> {
  const behind = () => world.listeners.find(({ told, ended, model }) => told !== model.told || ended !== model.ended)
  const end = performance.now() + PATIENCE_MS
  while (behind() !== undefined && performance.now() < end) await turn()
  const listener = behind()
  if (listener === undefined) return
  const { told, ended, model } = listener
  throw new Deviation(
    `A listener has heard of ${told} and ${ended ? 'has ended' : 'goes on'}, where the model has ${model.told} and ${model.ended ? 'an end' : 'none'}`,
  )
}

/** What the process holds has to be what the model says, counted from before it held anything. */
export function assertHeld(world: World, before: Census): void {
  const found = takeCensus()
  const due = expectedCensus(world, before)
  for (const kind of Object.keys(due) as (keyof Census)[]) {
    if (found[kind] === due[kind]) continue
    throw new Deviation(`Of ${kind} this process holds ${found[kind]}, where the model has ${due[kind]}`)
  }
}

function expectedCensus({ devices, domains }: World, before: Census): Census {
  const joined = devices.flatMap(({ model }) =>
    model.domain === undefined ? [] : [{ ...model, model, in: model.domain }],
  )
  const open = domains.filter(({ model }) => model.state !== 'closed').map(({ model }) => model)
  const eventfds = joined.map(({ model }) => {
    const views = [...model.views].filter((view) => !(view instanceof WindowModel)).length
    const wakeUp = model.lowPower === 'telling' ? 1 : 0
    return model.facts.signals + model.interrupts.vectors.length + views + wakeUp
  })
  const windows = joined.flatMap(({ model }) => [...model.views].filter((view) => view instanceof WindowModel))
  const iommufd = open.filter(({ backend }) => backend === 'iommufd').length > 0 ? 1 : 0
  const due = {
    eventfd: sum(eventfds),
    device: joined.length,
    group: joined.filter((device) => device.in.backend !== 'iommufd').length,
    container: open.filter(({ backend }) => backend === 'type1').length,
    iommufd: iommufd + open.filter(({ backend }) => backend === 'iommufd-compat').length,
    mapped: sum(windows.map(({ bytes }) => bytes)),
    pinned: sum(open.map(({ pinned }) => pinned)),
  }
  const files = due.eventfd + due.device + due.group + due.container + due.iommufd
  return {
    eventfd: before.eventfd + due.eventfd,
    device: before.device + due.device,
    group: before.group + due.group,
    container: before.container + due.container,
    iommufd: before.iommufd + due.iommufd,
    mapped: before.mapped + due.mapped,
    pinned: before.pinned + due.pinned,
    files: before.files + files,
  }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}
