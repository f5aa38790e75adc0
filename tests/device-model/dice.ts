import { seededRandom } from '../support/seeded-random.ts'

/** Choices that a seed determines. */
export class Dice {
  readonly #random: () => number

  constructor(seed: number) {
    this.#random = seededRandom(seed)
  }

  below(end: number): number {
    return Math.floor(this.#random() * end)
  }

  chance(probability: number): boolean {
    return this.#random() < probability
  }

  pick<Item>(items: readonly Item[]): Item | undefined {
    return items[this.below(items.length)]
  }

  /** One of a list that is not empty. */
  one<Item>(items: readonly [Item, ...Item[]]): Item {
    return items[this.below(items.length)]!
  }

  /** Often the last, which is the youngest; else any, such as one that is of no use any more. */
  recent<Item>(items: readonly Item[]): Item | undefined {
    return this.chance(0.6) ? items.at(-1) : this.pick(items)
  }

  word(): number {
    return this.chance(0.05) ? 0xffff_ffff : this.below(2 ** 32)
  }
}
