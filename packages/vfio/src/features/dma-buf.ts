import {
  type Fd,
  invalidArgument,
  OpenbarError,
  ownFd,
  PAGE_SIZE,
  VFIO_DEVICE_FEATURE_DMA_BUF,
  vfioDeviceFeatureDmaBuf,
  vfioRegionDmaRange,
} from '@openbar/linux'
import { readBar } from '../region/read-bar.ts'
import { useFeature } from './device-feature.ts'
import type { FeatureOwner } from './feature-owner.ts'
import { OwnedFd } from './owned-fd.ts'
import { OwnedView } from './owned-view.ts'

/** Which part of a BAR to export. */
export interface DmaBufOptions {
  /** The BAR, 0 to 5. */
  readonly region: number
  /** Bytes from the BAR's start; a multiple of 4,096. 0 by default. */
  readonly offset?: number
  /** Bytes; a multiple of 4,096. The rest of the BAR by default. */
  readonly size?: number
}

// Of fcntl.h; the kernel takes no other flags here.
const O_RDWR = 0o2
const O_CLOEXEC = 0o2000000

/**
 * A part of a BAR as a dma-buf, for another device to reach by DMA without a way through memory.
 *
 * The kernel takes it away from those who imported it for as long as the BAR cannot be reached (memory decoding off, low power,
 * a reset under way), and for good when the device is closed or loses its domain. This object is closed then, and at a reset:
 * whoever has imported it before keeps it, and nobody can import it any more.
 *
 * @see linux/vfio.h, `struct vfio_device_feature_dma_buf`; drivers/vfio/pci/vfio_pci_dmabuf.c
 *
 * @example
 * ```ts
 * using memory = device.exportDmaBuf({ region: 2, size: 1024 * 1024 })
 * console.log(memory.fd)
 * ```
 */
export class DmaBuf extends OwnedView<OwnedFd> {
  readonly #address: string
  /** Bytes. */
  readonly size: number

  /** @internal Made by `device.exportDmaBuf`. */
  constructor(owner: FeatureOwner, options: DmaBufOptions) {
    const { fd, address } = owner
    const { request, size } = dmaBufRequest(fd, address, options)
    const asked = { feature: VFIO_DEVICE_FEATURE_DMA_BUF, access: 'get', what: 'dma-buf export of its BARs' } as const
    super(owner, new OwnedFd(ownFd(useFeature(fd, address, asked, request))))
    this.#address = address
    this.size = size
  }

  /**
   * The dma-buf, for whoever imports it. Do not close it.
   *
   * @throws {@link OpenbarError} `ERR_CLOSED`.
   */
  get fd(): Fd<'file'> {
    if (!this.closed) return this.half.fd
    throw new OpenbarError('ERR_CLOSED', {
      message: `This dma-buf of ${this.#address} was closed or taken away.`,
      hint: 'Export another one: device.exportDmaBuf({ region }).',
      context: { what: 'dma-buf' },
    })
  }
}

/** The feature's data for a part of a BAR, which is checked. */
export function dmaBufRequest(
  fd: Fd<'device'>,
  address: string,
  { region, offset = 0, size }: DmaBufOptions,
): { readonly request: Uint8Array; readonly size: number } {
  const whole = readBar(fd, region, address).size
  const wanted = size ?? whole - offset
  for (const [name, value] of [
    ['offset', offset],
    ['size', wanted],
  ] as const) {
    if (!Number.isSafeInteger(value) || value < 0 || value % PAGE_SIZE !== 0) {
      throw invalidArgument(name, value, `a multiple of ${PAGE_SIZE} bytes`)
    }
  }
  if (wanted === 0 || offset + wanted > whole) {
    throw new OpenbarError('ERR_REGION', {
      message: `${address}, BAR ${region} has ${whole} bytes: ${wanted} bytes at offset ${offset} cannot be exported.`,
      context: { address, region: `BAR ${region}` },
    })
  }
  const request = vfioDeviceFeatureDmaBuf.allocate(vfioRegionDmaRange.size)
  request.region_index = region
  request.open_flags = O_RDWR | O_CLOEXEC
  request.nr_ranges = 1
  request.view.setBigUint64(vfioDeviceFeatureDmaBuf.size, BigInt(offset), true)
  request.view.setBigUint64(vfioDeviceFeatureDmaBuf.size + 8, BigInt(wanted), true)
  return { request: request.bytes, size: wanted }
}
