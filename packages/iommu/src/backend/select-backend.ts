import { existsSync } from 'node:fs'
import { isOpenbarError, OpenbarError, readText } from '@openbar/linux'
import type { RlimitMode } from '../iommufd/options.ts'
import type { Backend, BackendName } from './backend.ts'
import { IommufdBackend } from './iommufd-backend.ts'
import { IommufdContext } from './iommufd-context.ts'
import { NOIOMMU_SWITCH, NoIommuBackend } from './noiommu-backend.ts'
import { Type1Backend } from './type1-backend.ts'

/**
 * Which backends this kernel has: `iommufd` needs /dev/iommu and character devices of VFIO's; `type1` /dev/vfio/vfio;
 * `iommufd-compat` /dev/iommu and files of VFIO groups; `unsafe-noiommu` VFIO's no-IOMMU mode to be switched on.
 */
export type KernelInterfaces = Readonly<Record<BackendName, boolean>>

/** The names of all backends. */
export const BACKEND_NAMES: readonly BackendName[] = ['iommufd', 'type1', 'iommufd-compat', 'unsafe-noiommu']

/**
 * Looks which backends this kernel has.
 *
 * @example
 * ```ts
 * kernelInterfaces().iommufd // false on Debian 12
 * ```
 */
export function kernelInterfaces(): KernelInterfaces {
  const iommu = existsSync('/dev/iommu')
  const numbers = readText('/proc/devices') ?? ''
  return {
    iommufd: iommu && /^\s*\d+ vfio-dev$/m.test(numbers),
    type1: existsSync('/dev/vfio/vfio'),
    'iommufd-compat': iommu && /^\s*\d+ vfio$/m.test(numbers),
    'unsafe-noiommu': noIommuMode() === 'Y',
  }
}

/** A process from which sysfs is hidden has no use for the mode either: it cannot find physical addresses. */
function noIommuMode(): string | undefined {
  try {
    return readText(NOIOMMU_SWITCH)
  } catch (error) {
    if (isOpenbarError(error, 'ERR_PERMISSION')) return undefined
    throw error
  }
}

/** What each backend lacks where it cannot be opened, and what to do. */
const MISSING: Record<BackendName | 'auto', readonly [what: string, hint: string]> = {
  iommufd: [
    'no iommufd with VFIO character devices',
    "It needs Linux 6.6 or newer with CONFIG_IOMMUFD and CONFIG_VFIO_DEVICE_CDEV, and the iommufd module loaded; Debian's kernels have neither: use the type1 backend there.",
  ],
  type1: ['no VFIO container (/dev/vfio/vfio)', 'Load VFIO: modprobe vfio-pci.'],
  'iommufd-compat': [
    'no iommufd with VFIO groups',
    "It needs Linux 6.2 or newer with CONFIG_IOMMUFD and CONFIG_VFIO_GROUP, and the iommufd module loaded; Debian's kernels lack the first: use the type1 backend there.",
  ],
  'unsafe-noiommu': [
    'its no-IOMMU mode switched off',
    `It is unsafe: devices reach all memory, and the kernel is tainted. It needs CONFIG_VFIO_NOIOMMU, and root: echo Y > ${NOIOMMU_SWITCH}.`,
  ],
  auto: [
    'neither iommufd nor a VFIO container (/dev/vfio/vfio)',
    "Load VFIO: modprobe vfio-pci; the machine's IOMMU has to be switched on too, in firmware and kernel.",
  ],
}

/**
 * Opens the backend of the given name; iommufd where the kernel has it and type1 otherwise when none is named.
 *
 * @throws {@link OpenbarError} `ERR_NO_BACKEND`, `ERR_PERMISSION`.
 */
export function openBackend(name: BackendName | 'auto', isolated: boolean, mode?: RlimitMode): Backend {
  const available = kernelInterfaces()
  // A context that was handed over needs no /dev/iommu.
  const iommufd = available.iommufd || (IommufdContext.present && !isolated)
  if ((name === 'auto' || name === 'iommufd') && iommufd) return IommufdBackend.open(isolated, mode)
  if ((name === 'auto' || name === 'type1') && available.type1) return Type1Backend.open('type1')
  if (name === 'iommufd-compat' && available['iommufd-compat']) return Type1Backend.open('iommufd-compat', mode)
  if (name === 'unsafe-noiommu' && available['unsafe-noiommu']) return new NoIommuBackend()
  const [what, hint] = MISSING[name]
  throw new OpenbarError('ERR_NO_BACKEND', {
    message: `No domain can be opened: this kernel has ${what}.`,
    hint,
    context: { backend: name },
  })
}
