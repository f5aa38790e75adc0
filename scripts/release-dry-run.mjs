import { cpSync, existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { tarballProblems } from './checks/tarball.mjs'
import { packAll } from './lib/pack.mjs'
import { publicPackages } from './lib/packages.mjs'
import { prepare } from './lib/prepare.mjs'
import { root } from './lib/root.mjs'
import { mustRun, run } from './lib/run.mjs'
import { say } from './lib/say.mjs'
import { runMain, Stop } from './lib/stop.mjs'
import { withTemporaryDirectory } from './lib/temporary-directory.mjs'

// Everything that a release does, but for what others would see of it. Works in a copy: the clone stays as it is.
await runMain(async () => {
  await prepare()
  await withTemporaryDirectory('release', async (directory) => {
    const copy = join(directory, 'copy')
    say('Copying the sources and the built packages ...')
    await copySources(copy)

    await step('changesets: the state', () => changeset(copy, ['status']))
    await step('pack the packages as they are', () => packAndCheck(join(directory, 'now'), copy))
    await step('publish in dependency order (npm publish --dry-run)', () => publish(join(directory, 'now'), copy))
    await step('changesets: versions and changelogs of a release to come', () => nextVersions(copy))
    await step('pack the packages of that release', () => packAndCheck(join(directory, 'next'), copy))
  })
  console.log('The dry run of the release passed.')
})

/**
 * @param {string} name
 * @param {() => Promise<readonly string[]>} work Resolves to what there is to tell.
 */
async function step(name, work) {
  const told = await work()
  console.log(`ok      ${name}`)
  for (const line of told) console.log(`        ${line}`)
}

/**
 * A repository of its own with one commit, so that it does not matter which branch the clone is on and what is not committed.
 *
 * @param {string} copy
 */
async function copySources(copy) {
  const { stdout } = await mustRun('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    output: 'capture',
  })
  for (const path of stdout.split('\0').filter((each) => each !== '' && existsSync(join(root, each)))) {
    mkdirSync(dirname(join(copy, path)), { recursive: true })
    cpSync(join(root, path), join(copy, path))
  }
  for (const { directory } of publicPackages()) {
    cpSync(join(root, directory, 'dist'), join(copy, directory, 'dist'), { recursive: true })
  }
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'))
  await git(copy, ['init', '--quiet', '--initial-branch=main'])
  await commit(copy, 'Before the release')
}

/**
 * @param {string} copy
 * @param {readonly string[]} args
 */
async function git(copy, args) {
  const identity = ['-c', 'user.name=Dry run', '-c', 'user.email=dry-run@localhost', '-c', 'commit.gpgSign=false']
  await mustRun('git', [...identity, ...args], { cwd: copy, output: 'capture' })
}

/**
 * @param {string} copy
 * @param {string} message
 */
async function commit(copy, message) {
  await git(copy, ['add', '--all', '--', ':!node_modules'])
  await git(copy, ['commit', '--quiet', '--no-verify', '--allow-empty', '--message', message])
}

/**
 * @param {string} copy
 * @param {readonly string[]} args
 * @returns {Promise<string[]>}
 */
async function changeset(copy, args) {
  const { output } = await mustRun('changeset', args, { cwd: copy, output: 'capture' })
  return output.split('\n').filter((line) => line.trim() !== '')
}

/**
 * @param {string} into
 * @param {string} copy
 */
async function packAndCheck(into, copy) {
  const tarballs = await packAll(into, copy)
  const versions = new Map(tarballs.map(({ workspace: { manifest } }) => [manifest.name, manifest.version ?? '']))
  const problems = tarballs.flatMap(({ workspace, files }) => tarballProblems(workspace.manifest, files, versions))
  if (problems.length > 0) throw new Stop(1, problems.join('\n'))
  return tarballs.map(
    ({ workspace: { manifest }, files }) => `${manifest.name} ${manifest.version}: ${files.length} files`,
  )
}

/**
 * @param {string} tarballs A directory.
 * @param {string} copy
 */
async function publish(tarballs, copy) {
  /** @type {string[]} */
  const told = []
  for (const { manifest } of publicPackages(copy)) {
    const tarball = join(tarballs, `${manifest.name.replace('@', '').replace('/', '-')}-${manifest.version}.tgz`)
    const { code, output } = await run('npm', ['publish', tarball, '--dry-run', '--loglevel=error'], {
      cwd: copy,
      output: 'capture',
    })
    if (code !== 0) throw new Stop(code, `${output}\nnpm would not publish ${manifest.name}.`)
    told.push(output.trim().split('\n').at(-1) ?? '')
  }
  return told
}

/**
 * Releases a change to the lowest package: all others depend on it, directly or not.
 *
 * @param {string} copy
 */
async function nextVersions(copy) {
  const [lowest] = publicPackages(copy)
  if (lowest === undefined) throw new Stop(1, 'There is no package to publish.')
  const before = lowest.manifest.version
  writeFileSync(
    join(copy, '.changeset', 'dry-run.md'),
    `---\n'${lowest.manifest.name}': minor\n---\n\nA change that only the dry run knows.\n`,
  )
  await commit(copy, 'A change')
  await changeset(copy, ['version'])
  const after = publicPackages(copy)
  const bumped = after.find(({ manifest }) => manifest.name === lowest.manifest.name)
  if (bumped?.manifest.version === before)
    throw new Stop(1, `changeset version left ${lowest.manifest.name} at ${before}.`)
  if (bumped === undefined || !existsSync(join(copy, bumped.directory, 'CHANGELOG.md'))) {
    throw new Stop(1, `changeset version wrote no changelog for ${lowest.manifest.name}.`)
  }
  return after.map(({ manifest }) => `${manifest.name} would be ${manifest.version}`)
}
