import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './root.mjs'

/**
 * @typedef {object} Manifest What is read of a package.json.
 * @property {string} name
 * @property {string} [version]
 * @property {boolean} [private]
 * @property {Record<string, string>} [bin]
 * @property {Record<string, unknown>} [exports]
 * @property {Record<string, string>} [dependencies]
 * @property {Record<string, string>} [devDependencies]
 * @property {Record<string, string>} [peerDependencies]
 * @property {Record<string, string>} [optionalDependencies]
 */

/**
 * @typedef {object} Workspace
 * @property {string} directory From the root, such as `packages/pci`.
 * @property {Manifest} manifest
 */

/**
 * @param {string} directory
 * @param {string} [from]
 * @returns {Manifest}
 */
export function readManifest(directory, from = root) {
  return JSON.parse(readFileSync(join(from, directory, 'package.json'), 'utf8'))
}

/**
 * Every workspace of the repository, the private ones too.
 *
 * @param {string} [from] The repository's root.
 * @returns {Workspace[]}
 */
export function workspaces(from = root) {
  const { workspaces: patterns } = /** @type {{ workspaces: string[] }} */ (
    /** @type {unknown} */ (readManifest('.', from))
  )
  return patterns
    .flatMap((pattern) => {
      if (!pattern.endsWith('/*')) return [pattern]
      const parent = pattern.slice(0, -2)
      const entries = readdirSync(join(from, parent), { withFileTypes: true })
      return entries.filter((entry) => entry.isDirectory()).map((entry) => `${parent}/${entry.name}`)
    })
    .map((directory) => ({ directory, manifest: readManifest(directory, from) }))
}

/**
 * The packages that are published, each after those that it depends on.
 *
 * @param {string} [from] The repository's root.
 * @returns {Workspace[]}
 */
export function publicPackages(from = root) {
  const all = workspaces(from).filter(({ manifest }) => manifest.private !== true)
  /** @type {Workspace[]} */
  const sorted = []
  /** @param {Workspace} workspace */
  const add = (workspace) => {
    if (sorted.includes(workspace)) return
    for (const name of Object.keys(workspace.manifest.dependencies ?? {})) {
      const dependency = all.find(({ manifest }) => manifest.name === name)
      if (dependency !== undefined) add(dependency)
    }
    sorted.push(workspace)
  }
  for (const workspace of all) add(workspace)
  return sorted
}
