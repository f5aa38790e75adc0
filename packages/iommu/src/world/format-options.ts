import { invalidArgument } from '@openbar/linux'

/** How much of the state of the world to print. */
export interface FormatOptions {
  /** How many mappings of each domain to list, the lowest IOVAs first; 16 by default. The rest is counted in a line. */
  readonly maxMappings?: number
}

const DEFAULT_MAX_MAPPINGS = 16

/** @throws {@link OpenbarError} `ERR_INVALID_ARGUMENT`. */
export function maxMappingsOf({ maxMappings = DEFAULT_MAX_MAPPINGS }: FormatOptions): number {
  if (maxMappings !== Infinity && !(Number.isSafeInteger(maxMappings) && maxMappings >= 0)) {
    throw invalidArgument('maxMappings', maxMappings, 'a number of mappings, 0 or more')
  }
  return maxMappings
}
