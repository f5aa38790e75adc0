import type { OpenbarError } from '@openbar/linux/errors'
import type { RegisterAccess } from '../access/register-access.ts'
import { WindowAccess } from '../access/window-access.ts'
import type { CapabilityDecoder, CapabilityHeader, UnknownCapability } from './capability.ts'
import { CapabilityList } from './capability-list.ts'
import { at, chainBreak, isOutOfSight } from './chain-break.ts'
import type { ChainLink, WalkedChain } from './walk-chain.ts'

/** What decoding needs to know besides the chain. */
export interface DecodeContext<Decoded extends { readonly kind: string }> {
  readonly access: RegisterAccess
  /** Where the chain's part of config space ends. */
  readonly end: number
  readonly decoders: readonly CapabilityDecoder<Decoded>[]
  readonly names: Readonly<Record<number, string>>
}

/** Decodes the capabilities that a walk found; those that cannot be decoded stay, as unknown ones. */
export function decodeChain<Decoded extends { readonly kind: string }>(
  chain: WalkedChain,
  context: DecodeContext<Decoded>,
): CapabilityList<(Decoded & CapabilityHeader) | UnknownCapability> {
  let broken: OpenbarError<'ERR_CONFIG_SPACE'> | undefined
  const items = chain.links.map((link): (Decoded & CapabilityHeader) | UnknownCapability => {
    const window = new WindowAccess(context.access, link.offset, extentOf(link, chain.links, context))
    const header = describe(link, window, context.names)
    const decoder = context.decoders.find((candidate) => candidate.id === link.id)
    if (decoder === undefined) return withHeader({ kind: 'unknown' }, header)
    try {
      return withHeader(decoder.decode(window), header)
    } catch (error) {
      if (!isOutOfSight(error)) throw error
      const what = `The ${header.name ?? 'capability'} at ${at(link.offset)} does not fit where it stands`
      broken ??= chainBreak(link.offset, `${what}: ${error.message}`, error)
      return withHeader({ kind: 'unknown' }, header)
    }
  })
  return new CapabilityList(items, broken ?? chain.broken)
}

function extentOf(
  link: ChainLink,
  links: readonly ChainLink[],
  context: { access: RegisterAccess; end: number },
): number {
  const end = Math.min(context.end, context.access.size)
  return (
    links.reduce((least, other) => (other.offset > link.offset ? Math.min(least, other.offset) : least), end) -
    link.offset
  )
}

function describe(link: ChainLink, window: RegisterAccess, names: Readonly<Record<number, string>>): CapabilityHeader {
  return {
    id: link.id,
    name: names[link.id],
    offset: link.offset,
    extent: window.size,
    get bytes() {
      return Uint8Array.from({ length: window.size }, (_, offset) => window.read8(offset))
    },
  }
}

/** Joins both, keeping `bytes` a property that reads only when asked: spreading would read at once. */
function withHeader<Part extends object>(part: Part, header: CapabilityHeader): Part & CapabilityHeader {
  return Object.defineProperties(part, Object.getOwnPropertyDescriptors(header)) as Part & CapabilityHeader
}
