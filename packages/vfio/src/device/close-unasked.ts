import type { DeviceCore } from './device-core.ts'

/** Closes a device that its program has not closed, and warns of it, and of what goes wrong: nobody waits for it. */
export function closeUnasked(core: DeviceCore, code: string, warning: string, reason?: string): void {
  const warn = (text: string) => process.emitWarning(text, { type: 'OpenbarWarning', code })
  warn(warning)
  core.close(reason).catch((error: unknown) => warn(`${core.address} could not be given back: ${error}`))
}
