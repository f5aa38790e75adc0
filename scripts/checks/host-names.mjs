import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from '../lib/root.mjs'
import { run } from '../lib/run.mjs'

// Where packages come from is a matter of the machine's own settings: a clone must work behind any of them.
const source = /https?:\/\/[^\s/"'`)]*\b(?:registry|mirrors?|proxy|artifactory|snapshot|deb|ftp)\b[^\s"'`)]*/gi

// Names that lead nowhere, for documentation and tests (RFC 2606).
const reserved = /^https?:\/\/[^/:]*\.(?:example|invalid|test|localhost)(?:[/:]|$)/i

/**
 * Looks for addresses of package registries and mirrors.
 *
 * @param {string} text
 * @param {string} path
 * @returns {string[]}
 */
export function findHostNames(text, path) {
  return text.split('\n').flatMap((line, index) => {
    const addresses = [...line.matchAll(source)].filter(([address]) => !reserved.test(address))
    return addresses.map(([address]) => `${path}:${index + 1}: names ${address}`)
  })
}

/** @returns {Promise<string[]>} */
export async function checkHostNames() {
  const { stdout } = await run('git', ['grep', '-I', '-l', '--untracked', 'http'], { output: 'capture' })
  const paths = stdout.split('\n').filter((path) => path !== '')
  return paths.flatMap((path) => findHostNames(readFileSync(join(root, path), 'utf8'), path))
}
