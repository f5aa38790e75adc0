import type { OpenbarError } from '@openbar/linux/errors'
import { at, chainBreak, isOutOfSight } from './chain-break.ts'

/** A link of a chain of capabilities. */
export interface ChainLink {
  readonly id: number
  readonly offset: number
}

/** What differs between the two chains of config space. */
export interface ChainShape {
  /** The first offset at which a capability can stand. */
  readonly lowest: number
  /** Reads the link at an offset: `undefined` when what stands there is no capability. */
  readLink(offset: number): { readonly id: number; readonly next: number } | undefined
}

/** A chain as far as it could be followed. */
export interface WalkedChain {
  readonly links: readonly ChainLink[]
  readonly broken: OpenbarError<'ERR_CONFIG_SPACE'> | undefined
}

/**
 * Follows a chain of capabilities. Ends on any content: each offset is visited once, and there are finitely many.
 *
 * @param first - The first capability's offset; 0 for an empty chain.
 * @param from - Where `first` was read, for the message.
 */
export function walkChain(shape: ChainShape, first: number, from: number): WalkedChain {
  const links: ChainLink[] = []
  const visited = new Set<number>()
  const stop = (offset: number, message: string, cause?: unknown): WalkedChain => {
    return { links, broken: chainBreak(offset, message, cause) }
  }
  let pointer = from
  // The two low bits of a pointer are reserved and must be masked (PCI Local Bus 3.0 §6.7).
  let offset = first & ~0b11
  while (offset !== 0) {
    if (offset < shape.lowest) {
      return stop(pointer, `The capability at ${at(pointer)} points to ${at(offset)}, where no capability can stand.`)
    }
    if (visited.has(offset)) {
      return stop(pointer, `The capability at ${at(pointer)} points back to ${at(offset)}: the chain is a loop.`)
    }
    visited.add(offset)
    try {
      const link = shape.readLink(offset)
      if (link === undefined) {
        return stop(offset, `The chain of capabilities leads to ${at(offset)}, which holds none (it reads all ones).`)
      }
      links.push({ id: link.id, offset })
      pointer = offset
      offset = link.next & ~0b11
    } catch (error) {
      if (!isOutOfSight(error)) throw error
      return stop(offset, `The capability at ${at(offset)} cannot be read: ${error.message}`, error)
    }
  }
  return { links, broken: undefined }
}
