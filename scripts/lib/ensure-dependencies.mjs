import { lstatSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './root.mjs'
import { mustRun } from './run.mjs'
import { say } from './say.mjs'
import { Stop } from './stop.mjs'

/**
 * Installs what package-lock.json names, unless node_modules holds exactly that already.
 *
 * `npm ci` wants every platform's optional packages in the lock. Where a registry does not have them all, `npm install` leaves
 * them out, and the next `npm ci` refuses that lock (npm/cli#9846): such entries are to be kept when the lock changes.
 */
export async function ensureDependencies() {
  const difference = findDifference()
  if (difference === undefined) return
  say(`Installing npm packages, because ${difference}. This takes about half a minute ...`)
  await mustRun('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], {
    output: 'stderr',
    failure: 'npm ci failed; what it says above is the cause.',
  })
  const remaining = findDifference()
  if (remaining === undefined) return
  throw new Stop(1, `npm ci did not install what package-lock.json names: ${remaining}.`)
}

/**
 * @typedef {object} LockEntry
 * @property {string} [version]
 * @property {string} [integrity]
 * @property {string} [resolved]
 * @property {boolean} [link]
 * @property {boolean} [optional]
 * @property {string[]} [os]
 * @property {string[]} [cpu]
 * @property {string[]} [libc]
 */

/** @returns {string | undefined} How node_modules differs from package-lock.json. */
function findDifference() {
  const wanted = readPackages('package-lock.json') ?? {}
  // npm writes this file as the last step of an installation: an interrupted one has none.
  const installed = readPackages('node_modules/.package-lock.json')
  if (installed === undefined) return 'node_modules is missing or incomplete'
  return compareLocks(wanted, installed) ?? findMissingLink(installed)
}

/**
 * Compares what is wanted with what npm says that it installed.
 *
 * @param {Readonly<Record<string, LockEntry>>} wanted
 * @param {Readonly<Record<string, LockEntry>>} installed
 * @returns {string | undefined} The first difference.
 */
export function compareLocks(wanted, installed) {
  for (const [path, entry] of Object.entries(wanted)) {
    if (!path.startsWith('node_modules/') && !path.includes('/node_modules/')) continue
    const found = installed[path]
    if (found === undefined) {
      if (entry.optional === true && !isForThisMachine(entry)) continue
      return `${path} is missing`
    }
    if (found.version !== entry.version || found.integrity !== entry.integrity || found.link !== entry.link) {
      return `${path} is not the version that package-lock.json names`
    }
  }
  const extra = Object.keys(installed).find((path) => path !== '' && wanted[path] === undefined)
  return extra === undefined ? undefined : `${extra} is not in package-lock.json`
}

/**
 * Whether an optional package was made for machines such as this one. One that names no machine comes along with one that
 * does, and tells nothing.
 *
 * @param {LockEntry} entry
 */
function isForThisMachine({ os, cpu, libc }) {
  if (os === undefined && cpu === undefined) return false
  const { platform, arch } = process
  // Every distribution that the lab supports has the GNU C library.
  return (
    (os ?? [platform]).includes(platform) && (cpu ?? [arch]).includes(arch) && (libc ?? ['glibc']).includes('glibc')
  )
}

/** @param {Readonly<Record<string, LockEntry>>} installed */
function findMissingLink(installed) {
  for (const path of Object.keys(installed)) {
    // Only the top level: a look at hundreds of files on every run is not worth it.
    if (!/^node_modules\/(@[^/]+\/)?[^/]+$/.test(path)) continue
    try {
      lstatSync(join(root, path))
    } catch {
      return `${path} is missing`
    }
  }
  return undefined
}

/**
 * @param {string} path
 * @returns {Record<string, LockEntry> | undefined}
 */
function readPackages(path) {
  try {
    return JSON.parse(readFileSync(join(root, path), 'utf8')).packages
  } catch {
    return undefined
  }
}
