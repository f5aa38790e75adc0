import { listDirectory, OpenbarError } from '@openbar/linux'

/** The error for a device that no IOMMU stands in front of, with what to switch on. */
export function noIommuError(address: string, cause?: unknown): OpenbarError<'ERR_NO_IOMMU'> {
  return new OpenbarError('ERR_NO_IOMMU', {
    message: `${address} is in no IOMMU group: this machine's IOMMU is absent or switched off.`,
    hint: 'Switch it on in the firmware (Intel VT-d, AMD-Vi) and on the kernel command line (intel_iommu=on or amd_iommu=on), then start the machine anew; a virtual machine needs one of its own (QEMU: -device intel-iommu,intremap=on).',
    context: { address },
    cause,
  })
}

/** Whether the kernel drives any IOMMU. Behind some, groups appear only when a device gets its driver. */
export function iommuPresent(): boolean {
  return listDirectory('/sys/class/iommu').length > 0
}
