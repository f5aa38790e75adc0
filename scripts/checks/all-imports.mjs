import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { readManifest, workspaces } from '../lib/packages.mjs'
import { root } from '../lib/root.mjs'
import { run } from '../lib/run.mjs'
import { checkImports } from './import-rules.mjs'

/**
 * Holds every TypeScript file of every workspace to the import rules. Files beside the sources, such as a build's settings,
 * belong to the workshop and may reach to the root.
 *
 * @returns {Promise<string[]>} What breaks a rule, with file and line.
 */
export async function checkAllImports() {
  const rootManifest = readManifest('.')
  const { stdout } = await run('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard', '*.ts'], {
    output: 'capture',
  })
  const paths = stdout.split('\0').filter((path) => path !== '')
  return workspaces().flatMap(({ directory, manifest }) => {
    const sources = manifest.private === true ? `${directory}/` : `${directory}/src/`
    return paths
      .filter((path) => path.startsWith(sources))
      .flatMap((path) => {
        const text = readIfThere(path)
        return text === undefined ? [] : checkImports(text, { path, directory, manifest }, rootManifest)
      })
  })
}

/** @param {string} path */
function readIfThere(path) {
  try {
    return readFileSync(join(root, path), 'utf8')
  } catch {
    // Git still lists a file that was deleted and not yet committed so.
    return undefined
  }
}
