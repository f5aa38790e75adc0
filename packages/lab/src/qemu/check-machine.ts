import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Kernel } from '../kernel/kernel.ts'
import { LabError } from '../lab-error.ts'
import type { MachineOptions } from './machine-options.ts'
import { deviceModels, type QemuProgram } from './qemu-program.ts'

/**
 * Finds what this QEMU or this kernel cannot do before anything is booted.
 *
 * Throws `ERR_LAB_UNSUPPORTED` or `ERR_LAB_OPTION`.
 */
export async function checkMachine(options: MachineOptions, qemu: QemuProgram, kernel: Kernel): Promise<void> {
  if (
    options.iommu === 'virtio' &&
    !/^CONFIG_VIRTIO_IOMMU=[ym]$/m.test(readFileSync(join(kernel.directory, 'config'), 'utf8'))
  ) {
    throw new LabError('ERR_LAB_UNSUPPORTED', `The kernel ${kernel.release} has no driver for virtio-iommu`, {
      hint: 'Use the iommufd kernel, or the intel or amd IOMMU.',
    })
  }
  if (options.icount === true && (options.cores ?? 1) !== 1) {
    throw new LabError('ERR_LAB_OPTION', `Counting instructions needs one core, not ${options.cores}`)
  }
  if (options.icount === true && options.accel === 'kvm') {
    throw new LabError('ERR_LAB_OPTION', 'Instructions can be counted only in software emulation, not with KVM')
  }
  const models = [...(options.nics ?? []), ...(options.devices ?? [])].map((each) =>
    typeof each === 'string' ? each : each.model,
  )
  if (models.length === 0) return
  const known = await deviceModels(qemu)
  const unknown = models.find((model) => !known.has(model))
  if (unknown === undefined) return
  throw new LabError('ERR_LAB_UNSUPPORTED', `QEMU ${qemu.version} has no PCI device ${unknown}`, {
    hint:
      unknown === 'igb'
        ? 'igb came with QEMU 8.0: Debian 13 has it, and bookworm-backports for Debian 12.'
        : `To see all that it has: ${qemu.path} -device help`,
  })
}
