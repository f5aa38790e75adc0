import { OpenbarError } from '@openbar/linux'
import type { Attachable } from '../attachable.ts'

/** The error for a device whose file is tied to another iommufd context or container than the domain's. */
export function tiedElsewhereError({ address }: Attachable): OpenbarError<'ERR_NOT_SUPPORTED'> {
  return new OpenbarError('ERR_NOT_SUPPORTED', {
    message: `${address} was handed over, and its file is tied to another iommufd context or container than this domain's.`,
    hint: 'Use the domain that was handed over with it, or, on iommufd, one that was opened beside it; whoever handed it over may also hand it over anew.',
    context: { what: 'moving a device that was handed over' },
  })
}

/** The error for a device's file that is in no group's container, where it has to be. */
export function notInContainerError({ address }: Attachable, backend: string): OpenbarError<'ERR_NOT_SUPPORTED'> {
  return new OpenbarError('ERR_NOT_SUPPORTED', {
    message: `${address} was handed over as a file that is in no domain, which cannot join one on ${backend}.`,
    hint: "Open the domain on iommufd: Domain.open({ backend: 'iommufd' }).",
    context: { what: `a given file on ${backend}` },
  })
}
