import { join } from 'node:path'
import { root } from './root.mjs'

/**
 * Puts the tools that npm installed first on the path, among them Node.js 24: the machine's own Node.js may be older, and runs
 * only these scripts. Once is enough; twice is fine.
 */
export function useTools() {
  const tools = join(root, 'node_modules/.bin')
  const path = (process.env.PATH ?? '').split(':').filter((each) => each !== tools)
  process.env.PATH = [tools, ...path].join(':')
}
