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

  /** Mostly one that is good; else any, such as one that is of no use any more. */
  some<Item>(items: readonly Item[], good: (item: Item) => boolean): Item | undefined {
    return (this.chance(0.75) ? this.pick(items.filter(good)) : undefined) ?? this.pick(items)
  }

  word(): number {
    return this.chance(0.05) ? 0xffff_ffff : this.below(2 ** 32)
  }
}
