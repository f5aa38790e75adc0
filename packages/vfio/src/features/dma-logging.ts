import type { DirtyBitmap } from '@openbar/iommu'
import {
  addressOf,
  invalidArgument,
  OpenbarError,
  VFIO_DEVICE_FEATURE_DMA_LOGGING_REPORT,
  VFIO_DEVICE_FEATURE_DMA_LOGGING_START,
  VFIO_DEVICE_FEATURE_DMA_LOGGING_STOP,
  vfioDeviceFeatureDmaLoggingControl,
  vfioDeviceFeatureDmaLoggingRange,
  vfioDeviceFeatureDmaLoggingReport,
} from '@openbar/linux'
import { hasFeature, useFeature } from './device-feature.ts'
import type { FeatureOwner } from './feature-owner.ts'

/** Addresses as the device uses them. */
export interface LoggedRange {
  /** The first address. */
  readonly iova: bigint
  /** Bytes. */
  readonly size: number
}

/** What of its DMA a device writes down. */
export interface DmaLoggingOptions {
  /** At least one. */
  readonly ranges: readonly LoggedRange[]
  /** How many bytes a page shall have; a power of two. 4,096 by default. The device takes what it can do. */
  readonly pageSize?: number
}

const WHAT = 'DMA logging'
const MAX_RANGES = 0xffff
const WORD_BITS = 64

/**
 * Lets a device write down to which pages it has written by DMA, where it can do that by itself. Where it cannot,
 * `domain.dirtyTracking` may have the IOMMU do it.
 *
 * @see linux/vfio.h, `VFIO_DEVICE_FEATURE_DMA_LOGGING_START`
 *
 * @example
 * ```ts
 * const pageSize = device.dmaLogging.start({ ranges: [{ iova: 0x1000_0000n, size: 64 * 1024 * 1024 }] })
 * const written = dirtyRanges(device.dmaLogging.report({ iova: 0x1000_0000n, size: 64 * 1024 * 1024 }, pageSize))
 * device.dmaLogging.stop()
 * ```
 */
export class DmaLogging {
  readonly #owner: FeatureOwner
  /** Held while the kernel reads it: an address alone keeps no memory. */
  #ranges: BigUint64Array | undefined

  /** @internal */
  constructor(owner: FeatureOwner) {
    this.#owner = owner
  }

  /**
   * Whether the device can do it.
   *
   * @throws {@link OpenbarError} `ERR_NO_DOMAIN`, `ERR_CLOSED`, `ERR_LOW_POWER`.
   */
  get supported(): boolean {
    const { fd, address } = this.#owner
    return hasFeature(fd, VFIO_DEVICE_FEATURE_DMA_LOGGING_START, 'set', address)
  }

  /**
   * Begins.
   *
   * @returns The bytes that a page has now.
   * @throws {@link OpenbarError} `ERR_NOT_SUPPORTED` when the device cannot; `ERR_INVALID_ARGUMENT`; `ERR_SYSCALL` when it is on
   *   already, or there are more ranges than the device can take.
   */
  start({ ranges, pageSize = 4096 }: DmaLoggingOptions): number {
    assertPageSize(pageSize)
    if (ranges.length === 0 || ranges.length > MAX_RANGES) {
      throw invalidArgument('ranges', ranges.length, `1 to ${MAX_RANGES} ranges`)
    }
    const list = new BigUint64Array((ranges.length * vfioDeviceFeatureDmaLoggingRange.size) / 8)
    ranges.forEach((range, index) => {
      assertRange(range)
      list.set([range.iova, BigInt(range.size)], index * 2)
    })
    this.#ranges = list
    const { fd, address } = this.#owner
    const control = vfioDeviceFeatureDmaLoggingControl.allocate()
    control.page_size = BigInt(pageSize)
    control.num_ranges = ranges.length
    control.ranges = addressOf(this.#ranges)
    useFeature(
      fd,
      address,
      { feature: VFIO_DEVICE_FEATURE_DMA_LOGGING_START, access: 'set', what: WHAT },
      control.bytes,
    )
    this.#ranges = undefined
    return Number(control.page_size)
  }

  /**
   * Which pages of a range the device has written since the last report, or since it began. It forgets them.
   *
   * @param pageSize - Bytes that a bit stands for; a power of two. 4,096 by default.
   * @throws {@link OpenbarError} `ERR_NOT_SUPPORTED`; `ERR_INVALID_ARGUMENT`; `ERR_SYSCALL` when it is not on, or the device lost
   *   count: every page may have been written then.
   */
  report(range: LoggedRange, pageSize = 4096): DirtyBitmap {
    assertPageSize(pageSize)
    assertRange(range)
    if (range.size % pageSize !== 0) throw invalidArgument('size', range.size, `a multiple of ${pageSize} bytes`)
    const { fd, address } = this.#owner
    const bits = new Uint32Array(Math.ceil(range.size / pageSize / WORD_BITS) * 2)
    const report = vfioDeviceFeatureDmaLoggingReport.allocate()
    report.iova = range.iova
    report.length = BigInt(range.size)
    report.page_size = BigInt(pageSize)
    report.bitmap = addressOf(bits)
    useFeature(
      fd,
      address,
      { feature: VFIO_DEVICE_FEATURE_DMA_LOGGING_REPORT, access: 'get', what: WHAT },
      report.bytes,
    )
    return { iova: range.iova, size: range.size, pageSize, bits }
  }

  /**
   * Ends.
   *
   * @throws {@link OpenbarError} `ERR_NOT_SUPPORTED`; `ERR_SYSCALL` when it is not on.
   */
  stop(): void {
    const { fd, address } = this.#owner
    useFeature(
      fd,
      address,
      { feature: VFIO_DEVICE_FEATURE_DMA_LOGGING_STOP, access: 'set', what: WHAT },
      new Uint8Array(0),
    )
  }
}

function assertPageSize(pageSize: number): void {
  if (Number.isSafeInteger(pageSize) && pageSize > 0 && Math.log2(pageSize) % 1 === 0) return
  throw invalidArgument('pageSize', pageSize, 'a power of two')
}

function assertRange({ iova, size }: LoggedRange): void {
  if (typeof iova !== 'bigint' || iova < 0n) throw invalidArgument('iova', iova, 'an address, as a bigint')
  if (!Number.isSafeInteger(size) || size <= 0) throw invalidArgument('size', size, 'a positive number of bytes')
  if (iova + BigInt(size) <= 1n << 64n) return
  throw new OpenbarError('ERR_IOVA_RANGE', {
    message: `${size} bytes at 0x${iova.toString(16)} reach beyond the last address.`,
    context: { iova, size: BigInt(size), ranges: [] },
  })
}
