import { asFd, OpenbarError } from '@openbar/linux'
import { parseDescription } from './description.ts'
import { type TakenOver, takeOver } from './take-over.ts'

/** The environment variable that describes a device which a child process inherits. */
export const DEVICE_VARIABLE = 'OPENBAR_DEVICE'

/**
 * Takes the device over that a launcher left to this process: once, for its files can be used once.
 *
 * @throws {@link OpenbarError} `ERR_NO_DEVICE` when there is none; `ERR_NOT_SUPPORTED` for another version; `ERR_INVALID_ARGUMENT`.
 */
export async function inheritDevice(environment: NodeJS.ProcessEnv = process.env): Promise<TakenOver> {
  const text = environment[DEVICE_VARIABLE]
  if (text === undefined) {
    throw new OpenbarError('ERR_NO_DEVICE', {
      message: `No device was left to this process: $${DEVICE_VARIABLE} is not set.`,
      hint: 'Start the program with DeviceLauncher.start(), and adopt the device once.',
      context: { address: 'inherited' },
    })
  }
  // Programs that this one starts inherit the variable, but no files.
  delete environment[DEVICE_VARIABLE]
  const description = parseDescription(text, DEVICE_VARIABLE)
  const [device, space, leash] = Array.isArray(description['fds']) ? description['fds'].map(Number) : []
  return takeOver(description, {
    device: asFd(device ?? Number.NaN),
    space: asFd(space ?? Number.NaN),
    leash: asFd(leash ?? Number.NaN),
  })
}
