import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process'
import { once } from 'node:events'
import { MessageSocket, OpenbarError } from '@openbar/linux'
import { type Confinement, confine } from './command-line.ts'
import { formatDescription } from './description.ts'
import { DEVICE_VARIABLE } from './inherit.ts'
import type { Lease } from './lease.ts'
import { Tenancy, type Tenant } from './tenant.ts'

/** How to start a program that drives a device. */
export interface StartOptions extends Confinement {
  /** The program and its arguments: `[process.execPath, 'driver.ts']`. It calls `Device.adopt()`. */
  readonly command: readonly [program: string, ...args: string[]]
  /** Its environment; this process's by default. What describes the device is added. */
  readonly env?: NodeJS.ProcessEnv
  /** Its working directory; this process's by default. */
  readonly cwd?: string
  /** Its standard input, output and error, as of Node's `spawn`; this process's by default. */
  readonly stdio?: readonly [
    'pipe' | 'ignore' | 'inherit',
    'pipe' | 'ignore' | 'inherit',
    'pipe' | 'ignore' | 'inherit',
  ]
}

/** A child process that drives a device. */
export interface DriverProcess extends Tenant {
  /** Node's own handle of it: its standard streams, its events. */
  readonly process: ChildProcess
  /** How it ended: with a code, or by a signal. */
  readonly exited: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>
  /**
   * Ends it: asks for the device back and sends SIGTERM, and SIGKILL when it is not gone in time.
   *
   * @param options.grace - Milliseconds before SIGKILL; 5000 by default.
   * @returns When the device is back; rejected as {@link Tenant.released}.
   */
  stop(options?: { readonly grace?: number }): Promise<void>
}

const GRACE_MS = 5000
const FIRST_FD = 3

/** Starts a program with a leased device. */
export async function startDriver(lease: Lease, options: StartOptions, onReleased: () => void): Promise<DriverProcess> {
  const [program, ...args] = confine(options.command, options)
  const [near, far] = MessageSocket.pair()
  using started = new DisposableStack()
  started.use(near)
  using _far = far
  const { device, space } = lease.files
  const files = [device, space, far.fd]
  const fds = files.map((_, index) => FIRST_FD + index)
  const stdio: StdioOptions = [...(options.stdio ?? (['inherit', 'inherit', 'inherit'] as const)), ...files]
  const env = { ...(options.env ?? process.env), [DEVICE_VARIABLE]: formatDescription(lease.description, { fds }) }
  const child = spawn(program, args, { stdio, env, cwd: options.cwd })
  const pid = await spawned(child, program)
  started.move()
  const exited = once(child, 'exit').then(() => ({ code: child.exitCode, signal: child.signalCode }))
  const tenancy = new Tenancy(pid, lease, near, onReleased)
  void exited.then(() => tenancy.ended())
  return {
    pid,
    process: child,
    exited,
    adopted: tenancy.adopted,
    released: tenancy.released,
    stop: async ({ grace = GRACE_MS } = {}) => {
      child.kill('SIGTERM')
      const timer = setTimeout(() => child.kill('SIGKILL'), grace)
      await exited
      clearTimeout(timer)
      await tenancy.released
    },
  }
}

async function spawned(child: ChildProcess, program: string): Promise<number> {
  try {
    await once(child, 'spawn')
  } catch (error) {
    throw new OpenbarError('ERR_NOT_SUPPORTED', {
      message: `${program} cannot be run: ${error instanceof Error ? error.message : String(error)}.`,
      hint: 'Install util-linux, which has prlimit, unshare and setpriv; and look whether the working directory exists.',
      context: { what: program },
      cause: error,
    })
  }
  return child.pid ?? -1
}
