import type { DeviceCore } from './device-core.ts'

const open = new Set<DeviceCore>()

/** Notes that a device is open in this process. */
export function registerDevice(device: DeviceCore): void {
  open.add(device)
}

/** Notes that it is no longer. */
export function unregisterDevice(device: DeviceCore): void {
  open.delete(device)
}

/** The devices of this process that are in a domain, at some of the addresses. */
export function openDevicesAt(addresses: ReadonlySet<string>): DeviceCore[] {
  return [...open].filter((device) => addresses.has(device.address) && device.reachable)
}
