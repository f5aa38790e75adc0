import { OpenbarError } from '@openbar/linux'
import type { DomainMapping } from './domain-mapping.ts'

/** The error for a domain that its caller has closed. */
export function closedError(): OpenbarError<'ERR_CLOSED'> {
  return new OpenbarError('ERR_CLOSED', {
    message: 'This domain was closed.',
    hint: 'Open a new one: Domain.open().',
    context: { what: 'domain' },
  })
}

/** Refuses a buffer's memory, which is taken away by closing the buffer. */
export function assertNoBuffer({ buffer, size, iova }: DomainMapping): void {
  if (buffer === undefined) return
  throw new OpenbarError('ERR_DOMAIN_STATE', {
    message: `The ${size} bytes at 0x${iova.toString(16)} belong to a buffer.`,
    hint: 'Close the buffer; that unmaps it.',
    context: { state: 'allocated' },
  })
}

/** The error for two domains that have no pinned memory to share. */
export function cannotShareError(): OpenbarError<'ERR_NOT_SUPPORTED'> {
  return new OpenbarError('ERR_NOT_SUPPORTED', {
    message: 'Memory that is pinned can be shared only between two domains on iommufd that share their context.',
    hint: 'Map the memory itself in both, which pins it twice; or open both on iommufd, without isolated.',
    context: { what: 'sharing mappings' },
  })
}

/** The error for an address that is asked for where there are only physical ones. */
export function noIovasError(): OpenbarError<'ERR_NOT_SUPPORTED'> {
  return new OpenbarError('ERR_NOT_SUPPORTED', {
    message: 'Without an IOMMU no address can be picked: there are only physical ones.',
    hint: 'Use domain.allocate(size): its iova is the physical address.',
    context: { what: 'IOVAs' },
  })
}

/** The error for a domain that protects nothing, and so cannot be given to a program that is not trusted. */
export function cannotHandOverError(): OpenbarError<'ERR_NOT_SUPPORTED'> {
  return new OpenbarError('ERR_NOT_SUPPORTED', {
    message:
      'A domain without an IOMMU cannot be handed over: its devices reach all memory, and physical addresses take privileges.',
    hint: 'Open the domain behind an IOMMU: Domain.open({ isolated: true }).',
    context: { what: 'handing over without an IOMMU' },
  })
}
