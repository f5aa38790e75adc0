import { VFIO_PCI_INTX_IRQ_INDEX, VFIO_PCI_MSI_IRQ_INDEX, VFIO_PCI_MSIX_IRQ_INDEX } from '@openbar/linux'

/** The ways in which a PCI function can interrupt. One at a time can be on. */
export type InterruptKind = 'intx' | 'msi' | 'msix'

/** The kernel's index of each kind. */
export const INTERRUPT_INDEX: Record<InterruptKind, number> = {
  intx: VFIO_PCI_INTX_IRQ_INDEX,
  msi: VFIO_PCI_MSI_IRQ_INDEX,
  msix: VFIO_PCI_MSIX_IRQ_INDEX,
}

/** The kinds as messages name them. */
export const INTERRUPT_NAME: Record<InterruptKind, string> = { intx: 'INTx', msi: 'MSI', msix: 'MSI-X' }
