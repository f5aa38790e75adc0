import { shellQuote } from '../util/shell-quote.ts'
import type { BootOptions } from './boot-options.ts'

/** The settings that the guest's init reads. */
export function bootSettings(kernelDirectory: string, options: BootOptions): string {
  return [
    `LAB_KERNEL=${shellQuote([kernelDirectory])}`,
    `LAB_PATH=${shellQuote([process.env['PATH'] ?? ''])}`,
    `LAB_MODULES=${shellQuote([(options.modules ?? []).join(' ')])}`,
    `LAB_UNSAFE_INTERRUPTS=${options.iommu === 'virtio' ? 1 : ''}`,
    '',
  ].join('\n')
}
