import { closeUnasked } from './close-unasked.ts'
import type { DeviceCore } from './device-core.ts'

const forgotten = new FinalizationRegistry<DeviceCore>((core) => {
  if (core.closed) return
  const { address } = core
  closeUnasked(
    core,
    'OPENBAR_FORGOTTEN_DEVICE',
    `${address} was forgotten without being closed, and garbage-collected: it is closed now. Close it: await device.close(), or await using.`,
  )
})

/** Has a device closed, with a warning, when nobody can reach what users hold of it any more. */
export function closeWhenForgotten(device: object, core: DeviceCore): void {
  forgotten.register(device, core, core)
}

/** The device was closed. */
export function notForgotten(core: DeviceCore): void {
  forgotten.unregister(core)
}
