import { LabError } from '../lab-error.ts'
import type { BusKind, DeviceOption, NetworkOption, NicOption } from '../qemu/machine-options.ts'

type Pairs = ReadonlyMap<string, string>

/** Splits `MODEL,key=value,…`. A doubled comma is one that belongs to the value. */
function split(text: string, option: string): { readonly model: string; readonly pairs: Pairs } {
  const [model = '', ...rest] = text.split(/(?<!,),(?!,)/).map((part) => part.replaceAll(',,', ','))
  if (!/^[\w.-]+$/.test(model)) throw bad(option, text, 'it must begin with the name of a model, such as e1000e')
  const pairs = new Map<string, string>()
  for (const part of rest) {
    const equals = part.indexOf('=')
    if (equals < 1) throw bad(option, text, `"${part}" is not of the form key=value`)
    pairs.set(part.slice(0, equals), part.slice(equals + 1))
  }
  return { model, pairs }
}

const socketKeys = ['listen', 'connect', 'mcast', 'udp', 'localaddr', 'fd']

/**
 * Reads a NIC as it stands on the command line.
 *
 * @example
 * ```ts
 * parseNic('e1000e,net=hub:1,bus=port') // { model: 'e1000e', net: { hub: 1 }, bus: 'port' }
 * ```
 */
export function parseNic(text: string): NicOption {
  const { model, pairs } = split(text, '--nic')
  const rest = new Map(pairs)
  const take = (key: string) => {
    const value = rest.get(key)
    rest.delete(key)
    return value
  }
  const mac = take('mac')
  if (mac !== undefined && !/^([\da-f]{2}:){5}[\da-f]{2}$/i.test(mac))
    throw bad('--nic', text, `"${mac}" is not a MAC address`)
  const net = take('net')
  const network = net === undefined ? undefined : parseNetwork(net, text, take)
  return { ...device(model, rest, text, '--nic'), ...(network && { net: network }), ...(mac && { mac }) }
}

/** Reads a plain device as it stands on the command line: `edu`, `nvme,bus=port,serial=1,drive=d0`. */
export function parseDevice(text: string): DeviceOption {
  const { model, pairs } = split(text, '--device')
  return device(model, pairs, text, '--device')
}

function device(model: string, pairs: Pairs, text: string, option: string): DeviceOption {
  const properties = new Map(pairs)
  const bus = properties.get('bus')
  const id = properties.get('id')
  properties.delete('bus')
  properties.delete('id')
  if (bus !== undefined && !isBus(bus)) throw bad(option, text, `bus is root, port or bridge, not "${bus}"`)
  return {
    model,
    ...(bus !== undefined && { bus }),
    ...(id !== undefined && { id }),
    ...(properties.size > 0 && { properties: Object.fromEntries(properties) }),
  }
}

function isBus(bus: string): bus is BusKind {
  return bus === 'root' || bus === 'port' || bus === 'bridge'
}

function parseNetwork(net: string, text: string, take: (key: string) => string | undefined): NetworkOption {
  if (net === 'user' || net === 'none') return net
  const hub = /^hub(?::(\d+))?$/.exec(net)
  if (hub !== null) return { hub: Number(hub[1] ?? 0) }
  const socket = /^socket:(\w+)=(.+)$/.exec(net)
  if (socket === null) throw bad('--nic', text, `net is user, hub, hub:NUMBER, socket:KEY=VALUE or none, not "${net}"`)
  const options: Record<string, string> = { [socket[1]!]: socket[2]! }
  for (const key of socketKeys) {
    const value = take(key)
    if (value !== undefined) options[key] = value
  }
  return { socket: options }
}

/** A length of time: `90`, `90s`, `2m` or `500ms`, in milliseconds. */
export function parseDuration(text: string, option: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(text)
  if (match === null) throw bad(option, text, 'a time looks like 90, 90s, 2m or 500ms')
  return Number(match[1]) * { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }[(match[2] ?? 's') as 'ms' | 's' | 'm' | 'h']
}

/** An amount of memory: `2048`, `2048M` or `4G`, in MiB. */
export function parseMemory(text: string, option: string): number {
  const match = /^(\d+)([MG])?(?:i?B)?$/i.exec(text)
  if (match === null) throw bad(option, text, 'an amount of memory looks like 2048M or 4G')
  return Number(match[1]) * (match[2]?.toUpperCase() === 'G' ? 1024 : 1)
}

/** A whole number that is at least `least`. */
export function parseCount(text: string, option: string, least: number): number {
  if (/^\d+$/.test(text) && Number(text) >= least) return Number(text)
  throw bad(option, text, `it must be a whole number, at least ${least}`)
}

/** One of a few words. */
export function parseChoice<T extends string>(text: string, option: string, choices: readonly T[]): T {
  const found = choices.find((choice) => choice === text)
  if (found === undefined) throw bad(option, text, `it must be one of ${choices.join(', ')}`)
  return found
}

function bad(option: string, text: string, why: string): LabError {
  return new LabError('ERR_LAB_OPTION', `${option} ${text}: ${why}`, { hint: 'See: openbar-lab run --help' })
}
