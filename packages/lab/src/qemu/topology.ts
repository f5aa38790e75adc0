import { LabError } from '../lab-error.ts'
import type { BusKind, DeviceOption, NetworkOption, NicOption } from './machine-options.ts'

/** A device of the machine, as tests need to know it. */
export interface LabDevice {
  /** QEMU's id, which `device_del` and `set_link` take. */
  readonly id: string
  /** QEMU's name for it. */
  readonly model: string
  readonly nic: boolean
  readonly bus: BusKind
  /** QEMU's id of the bus that it is on: `pcie.0`, `port0`, `bridge0`. `device_add` takes it. */
  readonly qemuBus: string
  /** The PCI address in the guest, `0000:00:02.0`. */
  readonly address: string
}

/** The devices of a machine and the arguments that make QEMU have them. */
export interface Topology {
  readonly devices: readonly LabDevice[]
  readonly args: readonly string[]
}

interface TopologyOptions {
  readonly nics?: readonly (NicOption | string)[]
  readonly devices?: readonly (DeviceOption | string)[]
  readonly sparePorts?: number
}

const firstSlot = 2
// From here on, slots belong to the lab itself.
const lastSlot = 0x19

/**
 * Gives every device a fixed place. Slots of the root bus are handed out from 2 on, in order; a root port or the bridge takes
 * the slot of the first device behind it. Firmware and kernel number the buses behind them in the order of the slots, so that
 * addresses are known before the boot.
 */
export function layOut(options: TopologyOptions): Topology {
  const nics = (options.nics ?? []).map((nic): NicOption => (typeof nic === 'string' ? { model: nic } : nic))
  const plain = (options.devices ?? []).map((each): DeviceOption => (typeof each === 'string' ? { model: each } : each))
  const devices: LabDevice[] = []
  const args: string[] = []
  let slot = firstSlot
  let buses = 0
  let ports = 0
  let bridge: { readonly bus: number; next: number } | undefined

  const takeSlot = (what: string) => {
    if (slot > lastSlot) {
      throw new LabError('ERR_LAB_OPTION', `There is no slot on the root bus for ${what}`, {
        hint: `The root bus takes ${lastSlot - firstSlot + 1} devices; put more of them behind the bridge with bus=bridge.`,
      })
    }
    return slot++
  }
  const addPort = (id: string) => {
    const at = takeSlot(id)
    args.push('-device', `pcie-root-port,id=${id},bus=pcie.0,addr=${hex(at)},chassis=${at},slot=${at}`)
    return ++buses
  }
  const place = (bus: BusKind, what: string): { qemuBus: string; addr: number; address: string } => {
    if (bus === 'port') {
      const qemuBus = `port${ports++}`
      return { qemuBus, addr: 0, address: pciAddress(addPort(qemuBus), 0) }
    }
    if (bus === 'root') {
      const addr = takeSlot(what)
      return { qemuBus: 'pcie.0', addr, address: pciAddress(0, addr) }
    }
    if (bridge === undefined) {
      args.push('-device', `pcie-pci-bridge,id=bridge0,bus=pcie.0,addr=${hex(takeSlot('the bridge'))}`)
      bridge = { bus: ++buses, next: 1 }
    }
    if (bridge.next > 31) throw new LabError('ERR_LAB_OPTION', `There is no slot behind the bridge for ${what}`)
    const addr = bridge.next++
    return { qemuBus: 'bridge0', addr, address: pciAddress(bridge.bus, addr) }
  }
  const add = (option: DeviceOption, id: string, nic: boolean, extra: string) => {
    const bus = option.bus ?? 'root'
    const { qemuBus, addr, address } = place(bus, `${option.model} (${id})`)
    args.push('-device', `${option.model},id=${id},bus=${qemuBus},addr=${hex(addr)}${extra}${pairs(option.properties)}`)
    devices.push({ id, model: option.model, nic, bus, qemuBus, address })
  }

  nics.forEach((nic, index) => {
    args.push(...netdev(nic.net ?? 'user', `net${index}`))
    const peer = nic.net === 'none' ? '' : `,netdev=net${index}`
    const mac = nic.mac === undefined ? '' : `,mac=${nic.mac}`
    // Without its boot ROM a NIC costs the firmware no time.
    add(nic, nic.id ?? `nic${index}`, true, `${peer}${mac},romfile=`)
  })
  plain.forEach((device, index) => {
    add(device, device.id ?? `dev${index}`, false, '')
  })
  for (let index = 0; index < (options.sparePorts ?? 0); index++) addPort(`spare${index}`)
  return { devices, args }
}

function netdev(net: NetworkOption, id: string): readonly string[] {
  if (net === 'none') return []
  if (net === 'user') return ['-netdev', `user,id=${id}`]
  if ('hub' in net) return ['-netdev', `hubport,id=${id},hubid=${net.hub}`]
  return ['-netdev', `socket,id=${id}${pairs(net.socket)}`]
}

// QEMU reads a doubled comma as one that belongs to the value.
function pairs(properties: Readonly<Record<string, string>> = {}): string {
  return Object.entries(properties)
    .map(([key, value]) => `,${key}=${value.replaceAll(',', ',,')}`)
    .join('')
}

function hex(value: number): string {
  return `0x${value.toString(16)}`
}

function pciAddress(bus: number, slot: number): string {
  return `0000:${bus.toString(16).padStart(2, '0')}:${slot.toString(16).padStart(2, '0')}.0`
}
