import type { Dice } from '../dice.ts'
import type { Action } from './action.ts'
import { arrayActions } from './arrays.ts'
import { configActions } from './config.ts'
import { deviceActions } from './devices.ts'
import { domainActions } from './domains.ts'
import { featureActions } from './features.ts'
import { interruptActions } from './interrupts.ts'
import { memoryActions } from './memory.ts'
import { powerActions } from './power.ts'
import { registerActions } from './registers.ts'
import { vectorActions } from './vectors.ts'
import { windowActions } from './windows.ts'

const actions: readonly Action[] = [
  ...domainActions,
  ...memoryActions,
  ...deviceActions,
  ...windowActions,
  ...arrayActions,
  ...registerActions,
  ...configActions,
  ...powerActions,
  ...interruptActions,
  ...vectorActions,
  ...featureActions,
]

const total = actions.reduce((sum, { weight }) => sum + weight, 0)

/** One of them, by its weight. */
export function pickAction(dice: Dice): Action {
  let left = dice.below(total * 1000) / 1000
  for (const action of actions) {
    left -= action.weight
    if (left < 0) return action
  }
  return actions[0]!
}
