import { setTimeout as sleep } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

/** Collects garbage and lets what waits for it run, again and again until a condition holds or two seconds have passed. */
export async function collectGarbage(until: () => boolean = () => false): Promise<void> {
  const end = performance.now() + 2000
  while (!until() && performance.now() < end) {
    collect()
    await sleep(20)
  }
}
