import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { publicPackages } from './packages.mjs'
import { root } from './root.mjs'
import { mustRun } from './run.mjs'

/**
 * @typedef {object} Tarball
 * @property {import('./packages.mjs').Workspace} workspace
 * @property {string} path
 * @property {string[]} files Paths from the package's root.
 */

/**
 * Packs every published package as `npm publish` would.
 *
 * @param {string} into A directory; made when it is not there.
 * @param {string} [from] The repository's root.
 * @returns {Promise<Tarball[]>} In dependency order.
 */
export async function packAll(into, from = root) {
  mkdirSync(into, { recursive: true })
  const packages = publicPackages(from)
  const args = packages.flatMap(({ directory }) => ['--workspace', directory])
  const { stdout } = await mustRun('npm', ['pack', '--json', '--loglevel=error', '--pack-destination', into, ...args], {
    cwd: from,
    output: 'capture',
  })
  // A list up to npm 11, an object by name from npm 12 on.
  const packed = /** @type {{ name: string, filename: string, files: { path: string }[] }[]} */ (
    Object.values(JSON.parse(stdout))
  )
  return packages.map((workspace) => {
    const own = packed.find(({ name }) => name === workspace.manifest.name)
    if (own === undefined) throw new Error(`npm pack made no tarball of ${workspace.manifest.name}`)
    return { workspace, path: join(into, own.filename), files: own.files.map(({ path }) => path) }
  })
}
