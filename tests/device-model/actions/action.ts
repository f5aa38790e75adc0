import type { World } from '../world.ts'

/** Something that a program may do. */
export interface Action {
  readonly name: string
  /** How often it comes, beside the others. */
  readonly weight: number
  act(world: World): Promise<void>
}
