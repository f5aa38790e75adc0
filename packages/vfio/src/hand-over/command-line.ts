import { execFileSync } from 'node:child_process'
import { invalidArgument, OpenbarError } from '@openbar/linux'

/** What a program that drives a device may do. */
export interface Confinement {
  /** The user that it runs as: a name or a number, and not root. */
  readonly user: string | number
  /** The group that it runs as, and no other; the user's own by default. */
  readonly group?: string | number
  /** RLIMIT_MEMLOCK in bytes: how much memory it may pin. */
  readonly memlock: number
  /**
   * Leaves /sys, /dev/vfio and /dev/iommu visible to it. By default they are hidden, in a mount namespace of its own; this process needs
   * CAP_SYS_ADMIN for that.
   */
  readonly visible?: boolean
}

/** Run by sh as root in a mount namespace of its own, before privileges are dropped. */
const HIDE = [
  'set -e',
  'for d in /sys /dev/vfio; do [ ! -d "$d" ] || mount -t tmpfs -o size=4k,mode=000 openbar "$d"; done',
  // A file that nobody may open stands in the place of /dev/iommu.
  'if [ -e /dev/iommu ]; then : > /sys/none; chmod 000 /sys/none; mount --bind /sys/none /dev/iommu; fi',
  'exec "$@"',
].join('\n')

/**
 * The command that runs another one confined: with util-linux's prlimit, unshare and setpriv, which every Debian has.
 *
 * @throws {@link OpenbarError} `ERR_INVALID_ARGUMENT` for a user that is root or unknown, or a limit that is none.
 * @see setpriv(1), prlimit(1), unshare(1); capabilities(7)
 */
export function confine(command: readonly string[], confinement: Confinement): readonly [string, ...string[]] {
  const { user, memlock, visible = false } = confinement
  if (command.length === 0) throw invalidArgument('command', command, 'a program and its arguments')
  if (!Number.isSafeInteger(memlock) || memlock < 0) {
    throw invalidArgument('memlock', memlock, 'a number of bytes, zero or more')
  }
  const uid = idOf('-u', user, 'user')
  const gid = confinement.group === undefined ? idOf('-g', user, 'user') : groupId(confinement.group)
  if (uid === 0) throw invalidArgument('user', user, 'a user other than root')
  const hide = visible ? [] : ['unshare', '--mount', '--propagation', 'private', '--', 'sh', '-c', HIDE, 'sh']
  const drop = [
    ...['setpriv', `--reuid=${uid}`, `--regid=${gid}`, '--clear-groups', '--no-new-privs'],
    ...['--bounding-set=-all', '--inh-caps=-all', '--ambient-caps=-all'],
  ]
  return ['prlimit', `--memlock=${memlock}:${memlock}`, '--', ...hide, ...drop, '--', ...command]
}

function groupId(group: string | number): number {
  if (typeof group === 'number') {
    if (Number.isSafeInteger(group) && group >= 0) return group
    throw invalidArgument('group', group, 'a group id')
  }
  const id = /^[^:]*:[^:]*:(\d+):/.exec(ask('getent', ['group', group], 'group', group))?.[1]
  if (id === undefined) throw invalidArgument('group', group, 'a group that this system knows')
  return Number(id)
}

/** A user's own id, or that of its group; a number that no user has is taken for both. */
function idOf(option: '-u' | '-g', user: string | number, argument: string): number {
  if (typeof user === 'number') {
    if (!Number.isSafeInteger(user) || user < 0) throw invalidArgument(argument, user, 'a user id')
    if (option === '-u') return user
  }
  try {
    return Number(ask('id', [option, '--', `${user}`], argument, user))
  } catch (error) {
    if (typeof user === 'number') return user
    throw error
  }
}

function ask(program: string, args: readonly string[], argument: string, value: unknown): string {
  try {
    return execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()
  } catch (error) {
    throw new OpenbarError('ERR_INVALID_ARGUMENT', {
      message: `${argument} must be one that this system knows, not ${String(value)}.`,
      context: { argument, value },
      cause: error,
    })
  }
}
