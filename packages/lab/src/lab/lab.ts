import { copyFileSync, cpSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { ensureInitramfs } from '../initramfs/initramfs.ts'
import { requireKernel } from '../kernel/ensure-kernel.ts'
import { LabError } from '../lab-error.ts'
import { checkMachine } from '../qemu/check-machine.ts'
import { chooseAccelerator } from '../qemu/choose-accelerator.ts'
import { machineArgs } from '../qemu/machine-args.ts'
import { QemuProcess } from '../qemu/qemu-process.ts'
import { findQemu } from '../qemu/qemu-program.ts'
import { Qmp } from '../qemu/qmp.ts'
import { type LabDevice, layOut } from '../qemu/topology.ts'
import { silent } from '../util/progress.ts'
import { shellQuote } from '../util/shell-quote.ts'
import type { BootOptions } from './boot-options.ts'
import { bootSettings } from './boot-settings.ts'
import { Channels } from './channels.ts'
import { commandScript } from './command-script.ts'
import { GuestCommands } from './guest-commands.ts'
import { guestEnvironment } from './guest-environment.ts'
import type { LabDescription } from './lab-description.ts'
import { relayQmp } from './qmp-relay.ts'
import { onProcessEnd } from './reaper.ts'
import type { RunOptions, RunResult } from './run-options.ts'
import { sharedDirectory } from './shared-directory.ts'
import { watchMachine } from './watch-machine.ts'
import { makeWorkDirectory, type WorkDirectory } from './work-directory.ts'

/**
 * A running machine with an IOMMU, in which commands run with the host's files: read-only, at the same places, with a
 * writable `/tmp` that is thrown away.
 *
 * @example
 * ```ts
 * import { Lab } from '@openbar/lab'
 *
 * await using lab = await Lab.boot({ nics: ['e1000e'], iommu: 'intel' })
 * const { stdout } = await lab.run(['ls', '/sys/kernel/iommu_groups'])
 * console.log(stdout.toString())
 * ```
 */
export class Lab {
  /** QEMU's machine protocol: `set_link`, `device_add`, `device_del` and everything else. */
  readonly qmp: Qmp
  /** What the machine is. Programs in the guest get it as JSON in `$OPENBAR_LAB_DESCRIPTION`. */
  readonly description: LabDescription
  readonly #process: QemuProcess
  readonly #commands: GuestCommands
  readonly #directory: WorkDirectory
  readonly #forget: () => void
  readonly #signal: AbortSignal | undefined
  #queue: Promise<unknown> = Promise.resolve()
  #closing: Promise<void> | undefined
  #busy = false

  private constructor(parts: LabParts) {
    this.qmp = parts.qmp
    this.description = parts.description
    this.#process = parts.process
    this.#commands = parts.commands
    this.#directory = parts.directory
    this.#forget = parts.forget
    this.#signal = parts.signal
  }

  /**
   * Boots a machine. Takes 2 to 5 seconds under software emulation.
   *
   * Throws `ERR_LAB_MISSING` when QEMU, busybox or the kernel is not there (its hint says how to get it), `ERR_LAB_OPTION`
   * when the machine cannot be made that way, `ERR_LAB_PANIC`, `ERR_LAB_DIED` or `ERR_LAB_TIMEOUT` when the boot fails.
   */
  static async boot(options: BootOptions = {}): Promise<Lab> {
    const { kernel: kind = 'iommufd', iommu = 'intel', icount = false } = options
    const qemu = await findQemu()
    const kernel = await requireKernel(kind)
    await checkMachine(options, qemu, kernel)
    const topology = layOut(options)
    const initramfs = await ensureInitramfs(kernel)
    const accel = icount
      ? 'tcg'
      : await chooseAccelerator(options.accel ?? 'auto', qemu, kernel, initramfs, options.progress ?? silent)
    options.signal?.throwIfAborted()

    const directory = makeWorkDirectory()
    let machine: QemuProcess | undefined
    const forget = onProcessEnd(() => {
      machine?.kill()
      directory.remove()
    })
    try {
      writeFileSync(join(directory.share, 'boot.sh'), bootSettings(kernel.directory, options))
      const channels = await Channels.listen(directory)
      const { qmp: qmpPath, ...ports } = channels.paths
      machine = new QemuProcess(
        qemu,
        machineArgs({
          accel,
          kernel: kind,
          iommu,
          icount,
          cores: options.cores ?? 2,
          memoryMiB: options.memoryMiB ?? 2048,
          image: kernel.image,
          initramfs,
          append: options.append ?? [],
          deviceArgs: topology.args,
          qemuArgs: options.qemuArgs ?? [],
          channels: { hostRoot: '/', share: directory.share, ports, qmp: qmpPath },
        }),
      )
      options.signal?.addEventListener('abort', () => machine?.kill(), { once: true })
      const limit = options.bootTimeoutMs ?? 120_000
      const [qmp, commands, problems] = await watchMachine(machine, 'booting', limit, options.signal, async () => {
        const qmp = await Qmp.open(await channels.connection('qmp'))
        relayQmp(await channels.connection('qmp-relay'), qmp)
        const [control, out, err] = await Promise.all([
          channels.connection('control'),
          channels.connection('out'),
          channels.connection('err'),
        ])
        channels.close()
        const commands = new GuestCommands(control, out, err, directory.share)
        return [qmp, commands, (await commands.ready()).problems] as const
      })
      if (problems !== undefined) {
        throw new LabError('ERR_LAB_BOOT', `Modules could not be loaded in the guest: ${problems}`, {
          hint: `Look in ${join(kernel.directory, 'lib/modules', kernel.release)} for what this kernel has.`,
        })
      }
      const description: LabDescription = {
        kernel: kind,
        release: kernel.release,
        iommu,
        accel,
        icount,
        devices: topology.devices,
        sparePorts: Array.from({ length: options.sparePorts ?? 0 }, (_, index) => `spare${index}`),
      }
      return new Lab({ qmp, description, process: machine, commands, directory, forget, signal: options.signal })
    } catch (error) {
      machine?.kill()
      await machine?.ended
      forget()
      directory.remove()
      throw error
    }
  }

  /** The devices that the machine was booted with, and where they are. */
  get devices(): readonly LabDevice[] {
    return this.description.devices
  }

  /**
   * Runs a command in the guest. Calls queue up: one command runs at a time. Its stdin is empty.
   *
   * A command that fails is no error: look at `exitCode`. Throws `ERR_LAB_TIMEOUT`, `ERR_LAB_PANIC`, `ERR_LAB_DIED` or
   * `ERR_LAB_ABORTED` when the command did not end; the machine is gone then.
   *
   * @example
   * ```ts
   * const { exitCode } = await lab.run(['node', 'probe.js'], { stdout: process.stdout, timeoutMs: 30_000 })
   * ```
   */
  run(command: readonly string[], options: RunOptions = {}): Promise<RunResult> {
    return this.#enqueue(command, options, false)
  }

  /** @internal Runs a command on the serial console. */
  runOnTerminal(command: readonly string[], options: RunOptions = {}): Promise<RunResult> {
    return this.#enqueue(command, options, true)
  }

  /** @internal */
  get terminal(): QemuProcess['terminal'] {
    return this.#process.terminal
  }

  /** The end of the guest's console: kernel messages, mostly. */
  get consoleTail(): string {
    return this.#process.console.tail()
  }

  /**
   * Copies a file or directory of the guest to the host. Programs in the guest can also write to `$OPENBAR_LAB_OUT`
   * themselves: what is there is copied faster.
   *
   * Throws `ERR_LAB_FILE` when it is not there.
   */
  async copyOut(from: string, to: string): Promise<void> {
    const staged = await this.#stage(from)
    try {
      cpSync(staged, resolve(to), { recursive: true })
    } finally {
      rmSync(staged, { recursive: true, force: true })
    }
  }

  /**
   * The content of a file in the guest, of /proc and /sys too.
   *
   * Throws `ERR_LAB_FILE` when it cannot be read.
   */
  async readFile(path: string): Promise<Buffer> {
    const { exitCode, stdout, stderr } = await this.run(['cat', path], { cwd: '/' })
    if (exitCode !== 0) throw new LabError('ERR_LAB_FILE', `The guest cannot read ${path}: ${stderr.toString().trim()}`)
    return stdout
  }

  /** Copies a file of the host into the guest, where it must lie under a writable directory such as /tmp. */
  async copyIn(from: string, to: string): Promise<void> {
    copyFileSync(from, join(this.#directory.share, 'in'))
    const { exitCode, stderr } = await this.run(['cp', '/run/openbar-lab/in', to], { cwd: '/' })
    if (exitCode !== 0) throw new LabError('ERR_LAB_FILE', `The guest cannot write ${to}: ${stderr.toString().trim()}`)
  }

  /** Powers the machine off and removes all that it left on the host. Doing so twice is fine. */
  close(): Promise<void> {
    this.#closing ??= this.#shutDown()
    return this.#closing
  }

  /** The same as {@link close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #shutDown(): Promise<void> {
    // A machine that is busy does not listen.
    if (this.#busy) this.#process.kill()
    else this.#commands.powerOff()
    const timer = setTimeout(() => this.#process.kill(), 5_000)
    await this.#process.ended
    clearTimeout(timer)
    this.qmp.close()
    this.#forget()
    this.#directory.remove()
  }

  #enqueue(command: readonly string[], options: RunOptions, terminal: boolean): Promise<RunResult> {
    const run = async () => {
      // A machine that died by itself says how; one that was closed is no surprise.
      if (this.#closing === undefined && !this.#process.running) throw this.#process.deathError('waiting for a command')
      if (this.#closing !== undefined) {
        throw new LabError('ERR_LAB_CLOSED', `The machine is not running any more: ${shellQuote(command)} cannot start`)
      }
      const env = { ...guestEnvironment(this.description), ...options.env }
      const script = commandScript(command, { cwd: options.cwd ?? sharedDirectory(process.cwd()), env })
      const what = `running ${shellQuote(command)}`
      const signals = [this.#signal, options.signal].filter((signal) => signal !== undefined)
      this.#busy = true
      try {
        return await watchMachine(this.#process, what, options.timeoutMs, AbortSignal.any(signals), () =>
          this.#commands.run(script, options, terminal),
        )
      } catch (error) {
        if (this.#closing !== undefined)
          throw new LabError('ERR_LAB_CLOSED', `The lab was closed while ${what}`, { cause: error })
        // The guest is in no known state.
        this.#process.kill()
        await this.close()
        throw error
      } finally {
        this.#busy = false
      }
    }
    const result = this.#queue.then(run)
    this.#queue = result.catch(() => {})
    return result
  }

  async #stage(path: string): Promise<string> {
    const staged = join(this.#directory.share, 'staged')
    rmSync(staged, { recursive: true, force: true })
    const { exitCode, stderr } = await this.run(['cp', '-r', '--', path, '/run/openbar-lab/staged'], { cwd: '/' })
    if (exitCode !== 0) throw new LabError('ERR_LAB_FILE', `The guest cannot copy ${path}: ${stderr.toString().trim()}`)
    return staged
  }
}

interface LabParts {
  readonly qmp: Qmp
  readonly description: LabDescription
  readonly process: QemuProcess
  readonly commands: GuestCommands
  readonly directory: WorkDirectory
  readonly forget: () => void
  readonly signal: AbortSignal | undefined
}
