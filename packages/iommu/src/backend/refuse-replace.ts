import { OpenbarError } from '@openbar/linux'
import type { BackendName } from './backend.ts'

/** A backend that cannot move devices in one step says so; whoever asks looks at `replaceable` first. */
export function refuseReplace(backend: BackendName): never {
  throw new OpenbarError('ERR_NOT_SUPPORTED', {
    message: `A device cannot be moved out of a domain on ${backend} in one step.`,
    hint: 'Take it out, and let it into the other domain.',
    context: { what: 'replacing a domain' },
  })
}
