import type { DmaFault, FaultReader } from '@openbar/iommu'
import { describeLab } from '@openbar/lab/guest'
import { expect } from 'vitest'
import { faultRoom } from './fault-room.ts'

/** How soon a fault has to be reported. */
const WITHIN_MS = 1000
const PAGE = 4096n

const { iommu } = describeLab()

/** Whether faults are reported at all: QEMU's AMD IOMMU refuses the DMA, and tells nobody. */
export const faultsAreReported = iommu !== 'amd'

/** What a DMA wanted, and whether anything is mapped there. */
export interface RefusedDma {
  readonly device: string
  readonly iova: bigint
  readonly access: 'read' | 'write'
  readonly mapped: boolean
}

/** What this guest's IOMMU reports of a refused DMA, as far as its reports go; `undefined` for nothing at all. */
export function expectedFault({ device, iova, access, mapped }: RefusedDma): Partial<DmaFault> | undefined {
  switch (iommu) {
    case 'intel':
      // The address is masked to its page, and what is not mapped lacks a right.
      return access === 'write'
        ? { kind: 'fault', iommu, device, iova: pageOf(iova), access, code: 5, reason: 'PTE Write access is not set' }
        : { kind: 'fault', iommu, device, iova: pageOf(iova), access, code: 6, reason: 'PTE Read access is not set' }
    case 'virtio':
      // QEMU tells what was tried only where something is mapped.
      return { kind: 'fault', iommu, device, iova, access: mapped ? access : undefined, reason: 'page fault' }
    default:
      return undefined
  }
}

/**
 * The first fault of a device that is reported within a second of a DMA; `undefined` for none.
 *
 * @param calls - What the DMA costs of the kernel's limit.
 */
export async function firstFault(
  faults: FaultReader,
  { device, calls }: { device: string; calls: number },
  dma: () => Promise<unknown>,
): Promise<DmaFault | undefined> {
  await faultRoom(calls)
  const watch = faults.events({ device })
  await dma()
  const timer = setTimeout(() => void watch.return(), WITHIN_MS)
  try {
    for await (const event of watch) if (event.kind === 'fault') return event
    return undefined
  } finally {
    clearTimeout(timer)
  }
}

/** Holds what was reported of a DMA against what has to be. */
export function expectReport(fault: DmaFault | undefined, expected: Partial<DmaFault> | undefined): void {
  expect(fault).toEqual(expected === undefined ? undefined : expect.objectContaining(expected))
}

function pageOf(iova: bigint): bigint {
  return iova - (iova % PAGE)
}
