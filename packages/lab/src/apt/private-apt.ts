import { chmod, mkdir, readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { LabError } from '../lab-error.ts'
import { exec } from '../util/exec.ts'
import { fileSha256 } from '../util/hash.ts'
import { archiveKeyring } from './keyring.ts'
import { parseStanzas, type Stanza } from './stanza.ts'

/**
 * An apt of its own: its lists, cache and sources lie in a directory that the caller owns, so that packages of any suite
 * can be had without root and without touching the machine's apt. Signatures are checked against Debian's keyring.
 */
export class PrivateApt {
  readonly #directory: string

  private constructor(directory: string) {
    this.#directory = directory
  }

  /**
   * Makes the state and fetches the indexes of the suites.
   *
   * Throws `ERR_LAB_APT` when an index cannot be had or its signature does not hold.
   */
  static async open(directory: string, site: string, suites: readonly string[]): Promise<PrivateApt> {
    for (const part of ['lists/partial', 'archives/partial', 'empty'])
      await mkdir(join(directory, part), { recursive: true })
    // As root, apt fetches as the user _apt: it must be able to come here.
    await chmod(directory, 0o755)
    const keyring = archiveKeyring()
    if (keyring === undefined) {
      throw new LabError(
        'ERR_LAB_APT',
        'The keys of the Debian archive are missing, so that no package can be verified',
        {
          hint: 'As root: apt-get install -y debian-archive-keyring',
        },
      )
    }
    const lines = suites.map((suite) => `deb [signed-by=${keyring}] ${site} ${suite} main\n`)
    await writeFile(join(directory, 'sources.list'), lines.join(''))
    // An empty list of installed packages: what the machine has must not decide what is found here.
    await writeFile(join(directory, 'status'), '')
    const apt = new PrivateApt(directory)
    await apt.#apt('apt-get', ['update', '-o', 'APT::Update::Error-Mode=any'])
    return apt
  }

  /** The newest version of a package, as its index describes it. */
  async show(name: string): Promise<Stanza> {
    const [first] = parseStanzas(await this.#apt('apt-cache', ['show', name]))
    if (first === undefined) throw new LabError('ERR_LAB_APT', `No suite has a package ${name}`)
    return first
  }

  /** The names of all packages that match a regular expression. */
  async names(pattern: string): Promise<readonly string[]> {
    const found = await this.#apt('apt-cache', ['search', '--names-only', pattern])
    return found.split('\n').flatMap((line) => line.split(' - ')[0] || [])
  }

  /** Downloads one version of a package. Returns the path of the .deb, whose SHA-256 has been checked. */
  async download(stanza: Stanza): Promise<string> {
    const target = join(this.#directory, 'deb')
    await rm(target, { recursive: true, force: true })
    await mkdir(target)
    const name = `${stanza.get('Package')}=${stanza.get('Version')}`
    await this.#apt('apt-get', ['download', name], target)
    const file = (await readdir(target)).find((entry) => entry.endsWith('.deb'))
    if (file === undefined) throw new LabError('ERR_LAB_APT', `apt downloaded nothing for ${name}`)
    const path = join(target, file)
    const sum = await fileSha256(path)
    if (sum !== stanza.get('SHA256')) {
      await rm(path)
      throw new LabError('ERR_LAB_APT', `${file} is not what Debian's index says: its SHA-256 is ${sum}`, {
        hint: 'Try again. If it happens again, the mirror is out of step with its own index.',
      })
    }
    return path
  }

  async #apt(program: 'apt-get' | 'apt-cache', args: readonly string[], cwd?: string): Promise<string> {
    const directory = this.#directory
    const settings = {
      'Dir::State': directory,
      'Dir::State::lists': join(directory, 'lists'),
      'Dir::State::status': join(directory, 'status'),
      'Dir::Cache': directory,
      'Dir::Cache::archives': join(directory, 'archives'),
      'Dir::Etc::SourceList': join(directory, 'sources.list'),
      'Dir::Etc::SourceParts': join(directory, 'empty'),
      'Dir::Etc::Preferences': '/dev/null',
      'Dir::Etc::PreferencesParts': join(directory, 'empty'),
      // The state may lie under a home that _apt cannot enter.
      'APT::Sandbox::User': 'root',
      'Acquire::Languages': 'none',
      'Acquire::Retries': '3',
      // No hook of the machine's apt is to run on a private state.
      'APT::Update::Post-Invoke-Success': '',
    }
    const options = Object.entries(settings).flatMap(([key, value]) => ['-o', `${key}=${value}`])
    const result = await exec(program, ['-q', ...options, ...args], cwd === undefined ? {} : { cwd })
    if (result.code === 0) return result.stdout
    const reason = result.stderr.trim().split('\n').slice(-5).join('\n')
    throw new LabError('ERR_LAB_APT', `${program} ${args.join(' ')} failed:\n${reason}`, {
      hint: 'Check that `apt-get update` works on this machine, then run the set-up again.',
    })
  }
}
