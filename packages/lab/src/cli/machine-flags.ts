import { type ParseArgsConfig, parseArgs } from 'node:util'
import { kernelKinds } from '../kernel/kernel.ts'
import type { BootOptions } from '../lab/boot-options.ts'
import { LabError } from '../lab-error.ts'
import type { IommuKind } from '../qemu/machine-options.ts'
import { parseChoice, parseCount, parseDevice, parseDuration, parseMemory, parseNic } from './option-values.ts'

const iommuKinds: readonly IommuKind[] = ['intel', 'amd', 'virtio', 'none']
const accelerators: readonly NonNullable<BootOptions['accel']>[] = ['auto', 'tcg', 'kvm']

const flags = {
  nic: { type: 'string', multiple: true, default: [] },
  device: { type: 'string', multiple: true, default: [] },
  'spare-ports': { type: 'string' },
  iommu: { type: 'string' },
  kernel: { type: 'string' },
  memory: { type: 'string', short: 'm' },
  cores: { type: 'string' },
  icount: { type: 'boolean', default: false },
  accel: { type: 'string' },
  module: { type: 'string', multiple: true, default: [] },
  append: { type: 'string', multiple: true, default: [] },
  'qemu-arg': { type: 'string', multiple: true, default: [] },
  env: { type: 'string', short: 'e', multiple: true, default: [] },
  timeout: { type: 'string', short: 't' },
  'boot-timeout': { type: 'string' },
  verbose: { type: 'boolean', short: 'v', default: false },
  help: { type: 'boolean', short: 'h', default: false },
} as const satisfies ParseArgsConfig['options']

/** The options of `run` and `shell`, understood. */
export interface MachineFlags {
  readonly help: boolean
  readonly verbose: boolean
  readonly boot: BootOptions
  readonly env: Readonly<Record<string, string>>
  readonly timeoutMs: number | undefined
  readonly command: readonly string[]
}

/**
 * Reads the options of `run` and `shell`. The command begins after `--`, or at the first word that is no option.
 *
 * Throws `ERR_LAB_OPTION`, which names the option.
 */
export function parseMachineFlags(args: readonly string[], env: NodeJS.ProcessEnv = process.env): MachineFlags {
  const end = commandStart(args)
  const command = args[end] === '--' ? args.slice(end + 1) : args.slice(end)
  const { values } = parse(args.slice(0, end))
  const optional = <K extends string, V>(key: K, value: V | undefined) =>
    (value === undefined ? {} : { [key]: value }) as { [key in K]?: V }
  const map = <T, U>(value: T | undefined, read: (value: T) => U) => (value === undefined ? undefined : read(value))
  const boot: BootOptions = {
    nics: values.nic.map(parseNic),
    devices: values.device.map(parseDevice),
    icount: values.icount,
    modules: values.module.flatMap((each) => each.split(',')),
    append: values.append,
    qemuArgs: values['qemu-arg'],
    ...optional(
      'sparePorts',
      map(values['spare-ports'], (text) => parseCount(text, '--spare-ports', 0)),
    ),
    ...optional(
      'iommu',
      map(values.iommu, (text) => parseChoice(text, '--iommu', iommuKinds)),
    ),
    ...optional(
      'kernel',
      map(values.kernel, (text) => parseChoice(text, '--kernel', kernelKinds)),
    ),
    ...optional(
      'memoryMiB',
      map(values.memory, (text) => parseMemory(text, '--memory')),
    ),
    ...optional(
      'cores',
      map(values.cores, (text) => parseCount(text, '--cores', 1)),
    ),
    ...optional(
      'accel',
      map(values.accel, (text) => parseChoice(text, '--accel', accelerators)),
    ),
    ...optional(
      'bootTimeoutMs',
      map(values['boot-timeout'], (text) => parseDuration(text, '--boot-timeout')),
    ),
  }
  return {
    help: values.help,
    verbose: values.verbose,
    boot,
    env: Object.fromEntries(values.env.map((each) => parseVariable(each, env))),
    timeoutMs: map(values.timeout, (text) => parseDuration(text, '--timeout')),
    command,
  }
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: flags, strict: true, allowPositionals: false })
  } catch (cause) {
    throw new LabError('ERR_LAB_OPTION', (cause as Error).message, { cause, hint: 'See: openbar-lab run --help' })
  }
}

/** Where the options end: their values must not be taken for the command. */
function commandStart(args: readonly string[]): number {
  const takesValue = new Set(
    Object.entries(flags).flatMap(([name, flag]) => {
      if (flag.type !== 'string') return []
      return 'short' in flag ? [`--${name}`, `-${flag.short}`] : [`--${name}`]
    }),
  )
  let index = 0
  while (index < args.length) {
    const arg = args[index]!
    if (arg === '--' || !arg.startsWith('-')) break
    index += takesValue.has(arg) ? 2 : 1
  }
  return Math.min(index, args.length)
}

/** `NAME=value`, or `NAME` for the value that it has here. */
function parseVariable(text: string, env: NodeJS.ProcessEnv): readonly [string, string] {
  const match = /^([A-Za-z_]\w*)(?:=([\s\S]*))?$/.exec(text)
  const value = match === null ? undefined : (match[2] ?? env[match[1]!])
  if (match !== null && value !== undefined) return [match[1]!, value]
  const why = match === null ? 'a variable looks like NAME=value' : 'it is not set here'
  throw new LabError('ERR_LAB_OPTION', `--env ${text}: ${why}`)
}
