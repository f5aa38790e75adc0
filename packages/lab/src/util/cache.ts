import { homedir } from 'node:os'
import { isAbsolute, join } from 'node:path'

/**
 * The directory in which kernels and everything else that takes long to make is kept: `$OPENBAR_CACHE`, else
 * `$XDG_CACHE_HOME/openbar`, else `~/.cache/openbar`.
 *
 * @example
 * ```ts
 * console.log(`rm -r ${cacheRoot()}   # start afresh`)
 * ```
 */
export function cacheRoot(env: NodeJS.ProcessEnv = process.env): string {
  const own = env['OPENBAR_CACHE']
  if (own !== undefined && isAbsolute(own)) return own
  const xdg = env['XDG_CACHE_HOME']
  // The XDG specification says that a relative path is to be ignored.
  if (xdg !== undefined && isAbsolute(xdg)) return join(xdg, 'openbar')
  return join(homedir(), '.cache', 'openbar')
}
