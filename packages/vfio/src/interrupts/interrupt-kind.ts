import {
  invalidArgument,
  VFIO_PCI_ERR_IRQ_INDEX,
  VFIO_PCI_INTX_IRQ_INDEX,
  VFIO_PCI_MSI_IRQ_INDEX,
  VFIO_PCI_MSIX_IRQ_INDEX,
  VFIO_PCI_REQ_IRQ_INDEX,
} from '@openbar/linux'

/** The ways in which a PCI function can interrupt. One at a time can be on. */
export type InterruptKind = 'intx' | 'msi' | 'msix'

/**
 * What the kernel tells by an event of its own: `err` that the device reported an uncorrectable error (PCI Express only), `req`
 * that it wants the device back.
 */
export type SignalKind = 'err' | 'req'

/** The kernel's index of each kind. */
export const INTERRUPT_INDEX: Record<InterruptKind | SignalKind, number> = {
  intx: VFIO_PCI_INTX_IRQ_INDEX,
  msi: VFIO_PCI_MSI_IRQ_INDEX,
  msix: VFIO_PCI_MSIX_IRQ_INDEX,
  err: VFIO_PCI_ERR_IRQ_INDEX,
  req: VFIO_PCI_REQ_IRQ_INDEX,
}

/** The kinds as messages name them. */
export const INTERRUPT_NAME: Record<InterruptKind | SignalKind, string> = {
  intx: 'INTx',
  msi: 'MSI',
  msix: 'MSI-X',
  err: 'error',
  req: 'request',
}

/** @throws {@link OpenbarError} `ERR_INVALID_ARGUMENT` for what is no kind of interrupt. */
export function assertInterruptKind(kind: InterruptKind): void {
  if (kind === 'intx' || kind === 'msi' || kind === 'msix') return
  throw invalidArgument('kind', kind, "'intx', 'msi' or 'msix'")
}
