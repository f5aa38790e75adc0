import { openSync, writeSync } from 'node:fs'
import type { BackendName } from '@openbar/iommu'
import type { Action } from './actions/action.ts'
import { useAllStolen } from './actions/arrays.ts'
import { pickAction } from './actions/index.ts'
import { busMastering } from './bus-mastering.ts'
import { takeCensus } from './census.ts'
import { Dice } from './dice.ts'
import { assertHeard, assertHeld } from './invariants.ts'
import { learnFacts } from './learn-facts.ts'
import { World } from './world.ts'

/** Steps between two looks at all that the process holds. */
const BATCH = 25

// Runs as a process of its own, which may crash: device-model-program.ts BACKEND STEPS SEED LOG MODEL=ADDRESS MODEL=ADDRESS
const [backendName, stepsText, seedText, logPath = '', ...nics] = process.argv.slice(2)
const backend = backendName as BackendName
const steps = Number(stepsText)
const seed = Number(seedText)
process.stdout.write(`${backend}: OPENBAR_SEED=${seed}, ${steps} steps\n`)

let step = 0
const facts = []
for (const nic of nics) {
  const [model = '', address = ''] = nic.split('=')
  facts.push(await learnFacts(backend, address, model))
}
const log = openSync(logPath, 'w')
const world = new World(backend, [facts[0]!, ...facts.slice(1)], new Dice(seed), (line) => {
  writeSync(log, `${step} ${line}\n`)
})
const before = takeCensus()
const times = new Map<string, { count: number; milliseconds: number }>()
const started = performance.now()
try {
  for (step = 1; step <= steps; step += 1) {
    const start = performance.now()
    const action = await takeStep()
    await assertHeard(world)
    const time = times.get(action.name) ?? { count: 0, milliseconds: 0 }
    time.count += 1
    time.milliseconds += performance.now() - start
    times.set(action.name, time)
    if (step % BATCH !== 0) continue
    useAllStolen(world)
    assertHeld(world, before)
  }
  await end()
} catch (error) {
  const lines = world.log.map((line) => `  ${line}`).join('\n')
  process.stderr.write(`OPENBAR_SEED=${seed}, ${backend}, step ${step}. The last calls:\n${lines}\n`)
  throw error
}
const slow = [...times].sort(([, a], [, b]) => b.milliseconds - a.milliseconds).slice(0, 12)
for (const [name, { count, milliseconds }] of slow) {
  process.stdout.write(`${milliseconds.toFixed(0)} ms: ${name}, ${count} times\n`)
}
const outcomes = [...world.outcomes].map(([outcome, count]) => `${outcome} ${count}`).join(', ')
process.stdout.write(`${((performance.now() - started) / 1000).toFixed(1)} s, ${outcomes}\n`)
process.stdout.write(`${JSON.stringify({ steps: step - 1, outcomes: Object.fromEntries(world.outcomes) })}\n`)

/** Picks until an action finds something to do. */
async function takeStep(): Promise<Action> {
  const { calls } = world
  for (;;) {
    const action = pickAction(world.dice)
    await action.act(world)
    if (world.calls > calls) return action
  }
}

/** Closes everything, in an order that the dice choose; nothing is left then. */
async function end(): Promise<void> {
  const all = [
    ...world.devices.map(({ real, model }) => async () => {
      await real.close()
      model.close()
    }),
    ...world.domains.map(({ real, model }) => async () => {
      real.close()
      model.close()
    }),
  ]
  while (all.length > 0) {
    await all.splice(world.dice.below(all.length), 1)[0]!()
    await assertHeard(world)
    useAllStolen(world)
    assertHeld(world, before)
  }
  for (const { address, model } of world.nics) world.same(`bus mastering of ${model}`, busMastering(address), false)
}
