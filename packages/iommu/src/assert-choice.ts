import { invalidArgument } from '@openbar/linux'

/** @throws {@link OpenbarError} `ERR_INVALID_ARGUMENT` for what is none of the names. */
export function assertChoice(argument: string, value: unknown, names: readonly string[]): void {
  if ((names as readonly unknown[]).includes(value)) return
  const quoted = names.map((name) => `'${name}'`)
  throw invalidArgument(argument, value, `${quoted.slice(0, -1).join(', ')} or ${quoted.at(-1)}`)
}
