import type { OpenbarError } from '@openbar/linux/errors'

/**
 * The capabilities that a chain led to, and where it broke if it did.
 *
 * A broken chain is no exception: what stands before the break is good, and is here. `broken` is the error that a
 * caller who cannot do with less may throw.
 *
 * @example
 * ```ts
 * const capabilities = config.capabilities()
 * for (const capability of capabilities) console.log(capability.kind, capability.offset)
 * if (capabilities.broken) console.warn(capabilities.broken.message)
 * const msix = capabilities.find('msix')
 * ```
 */
export class CapabilityList<Item extends { readonly kind: string; readonly id: number }> implements Iterable<Item> {
  /** In the chain's order. */
  readonly items: readonly Item[]
  /**
   * Why and at which offset the chain could not be followed further, or a capability not be decoded; the first such.
   */
  readonly broken: OpenbarError<'ERR_CONFIG_SPACE'> | undefined

  constructor(items: readonly Item[], broken: OpenbarError<'ERR_CONFIG_SPACE'> | undefined) {
    this.items = items
    this.broken = broken
  }

  /**
   * The first capability of a kind that has a decoder.
   *
   * @example
   * ```ts
   * config.capabilities().find('pciExpress')?.functionLevelReset
   * ```
   */
  find<Kind extends Item['kind']>(kind: Kind): Extract<Item, { readonly kind: Kind }> | undefined {
    return this.items.find((item): item is Extract<Item, { readonly kind: Kind }> => item.kind === kind)
  }

  /**
   * The first capability with an ID, decoded or not.
   *
   * @example
   * ```ts
   * config.capabilities().findById(0x09)?.bytes // vendor-specific
   * ```
   */
  findById(id: number): Item | undefined {
    return this.items.find((item) => item.id === id)
  }

  [Symbol.iterator](): Iterator<Item> {
    return this.items[Symbol.iterator]()
  }
}
