import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './root.mjs'

/**
 * The command line of `openbar-lab` with these arguments. By its path: npm links commands when it installs, and at that time
 * those of the packages here have not been built.
 *
 * @param {readonly string[]} args
 * @returns {[command: string, args: string[]]}
 */
export function labCommand(args) {
  const { bin } = JSON.parse(readFileSync(join(root, 'packages/lab/package.json'), 'utf8'))
  return ['node', [join(root, 'packages/lab', bin['openbar-lab']), ...args]]
}
