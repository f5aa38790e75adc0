import { OpenbarError } from '@openbar/linux'

/** The error for a device that no longer answers. */
export function deviceGoneError(address: string): OpenbarError<'ERR_DEVICE_GONE'> {
  return new OpenbarError('ERR_DEVICE_GONE', {
    message: `${address} no longer answers: its registers read all ones.`,
    hint: 'It was removed, or it is in a state that only a reset or a power cycle ends. Close it.',
    context: { address },
  })
}

/** The error for a device that is in no domain. */
export function noDomainError(address: string): OpenbarError<'ERR_NO_DOMAIN'> {
  return new OpenbarError('ERR_NO_DOMAIN', {
    message: `${address} is in no domain, so it cannot be reached.`,
    hint: 'Set one first: device.setDomain(domain).',
    context: { address },
  })
}

/** The error for a device that was closed, by the program or for a reason that it shall hear. */
export function deviceClosedError(address: string, reason: string | undefined): OpenbarError<'ERR_CLOSED'> {
  return new OpenbarError('ERR_CLOSED', {
    message: `${address} was closed${reason === undefined ? '' : `: ${reason}`}.`,
    hint: 'Open it again: Device.open(address).',
    context: { what: address },
  })
}

/** The error for memory that cannot be reached now, with the reason. */
export function unreachableError(address: string, region: string, problem: string): OpenbarError<'ERR_REGION'> {
  return new OpenbarError('ERR_REGION', {
    message: `${address}, ${region} cannot be reached: ${problem}.`,
    hint: 'Switch decoding on (device.config.command.memorySpaceEnable = true), or bring the device back to D0 (write 0 to the power state in its power management capability).',
    context: { address, region },
  })
}
