import { existsSync } from 'node:fs'
import { OpenbarError, readText } from '@openbar/linux'
import type { Backend, BackendName } from './backend.ts'
import { IommufdBackend } from './iommufd-backend.ts'
import { Type1Backend } from './type1-backend.ts'

/** What this kernel has of the things that a domain can stand on. */
export interface KernelInterfaces {
  /** /dev/iommu is there, and VFIO devices have character devices of their own. */
  readonly iommufd: boolean
  /** /dev/vfio/vfio is there. */
  readonly type1: boolean
}

/**
 * Looks which backends this kernel has.
 *
 * @example
 * ```ts
 * kernelInterfaces() // { iommufd: false, type1: true } on Debian 12
 * ```
 */
export function kernelInterfaces(): KernelInterfaces {
  const cdev = /^\s*\d+ vfio-dev$/m.test(readText('/proc/devices') ?? '')
  return { iommufd: cdev && existsSync('/dev/iommu'), type1: existsSync('/dev/vfio/vfio') }
}

/**
 * Opens the backend of the given name; iommufd where the kernel has it and type1 otherwise when none is named.
 *
 * @throws {@link OpenbarError} `ERR_NO_BACKEND`, `ERR_PERMISSION`.
 */
export function openBackend(name: BackendName | 'auto', isolated: boolean): Backend {
  const available = kernelInterfaces()
  if (name !== 'type1' && available.iommufd) return new IommufdBackend(isolated)
  if (name !== 'iommufd' && available.type1) return new Type1Backend()
  const [what, hint] = {
    iommufd: [
      'no iommufd with VFIO character devices',
      "It needs Linux 6.6 or newer with CONFIG_IOMMUFD and CONFIG_VFIO_DEVICE_CDEV, and the iommufd module loaded; Debian's kernels have neither: use the type1 backend there.",
    ],
    type1: ['no VFIO container (/dev/vfio/vfio)', 'Load VFIO: modprobe vfio-pci.'],
    auto: [
      'neither iommufd nor a VFIO container (/dev/vfio/vfio)',
      "Load VFIO: modprobe vfio-pci; the machine's IOMMU has to be switched on too, in firmware and kernel.",
    ],
  }[name] as [string, string]
  throw new OpenbarError('ERR_NO_BACKEND', {
    message: `No domain can be opened: this kernel has ${what}.`,
    hint,
    context: { backend: name },
  })
}
