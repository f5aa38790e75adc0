import {
  Errno,
  type Fd,
  IOMMU_FAULT_QUEUE_ALLOC,
  IOMMU_GET_HW_INFO,
  IOMMU_HW_QUEUE_ALLOC,
  IOMMU_HWPT_ALLOC,
  IOMMU_HWPT_GET_DIRTY_BITMAP,
  IOMMU_HWPT_INVALIDATE,
  IOMMU_IOAS_ALLOW_IOVAS,
  IOMMU_IOAS_CHANGE_PROCESS,
  IOMMU_IOAS_COPY,
  IOMMU_IOAS_MAP_FILE,
  IOMMU_OPTION,
  IOMMU_VDEVICE_ALLOC,
  IOMMU_VEVENTQ_ALLOC,
  IOMMU_VIOMMU_ALLOC,
  type IoctlRequest,
  syscallError,
  tryIoctl,
} from '@openbar/linux'

const REQUESTS = {
  /** {@link allowIovas} */
  allowIovas: IOMMU_IOAS_ALLOW_IOVAS,
  /** {@link copyMapping} */
  copy: IOMMU_IOAS_COPY,
  /** {@link rlimitMode}, {@link hugePages} */
  options: IOMMU_OPTION,
  /** {@link PageTable} */
  pageTables: IOMMU_HWPT_ALLOC,
  /** {@link hardwareInfo} */
  hardwareInfo: IOMMU_GET_HW_INFO,
  /** {@link PageTable.setDirtyTracking} */
  dirtyTracking: IOMMU_HWPT_GET_DIRTY_BITMAP,
  /** {@link PageTable.invalidate} */
  invalidation: IOMMU_HWPT_INVALIDATE,
  /** {@link FaultQueue} */
  faultQueues: IOMMU_FAULT_QUEUE_ALLOC,
  mapFile: IOMMU_IOAS_MAP_FILE,
  changeProcess: IOMMU_IOAS_CHANGE_PROCESS,
  virtualIommus: IOMMU_VIOMMU_ALLOC,
  virtualDevices: IOMMU_VDEVICE_ALLOC,
  virtualEventQueues: IOMMU_VEVENTQ_ALLOC,
  hardwareQueues: IOMMU_HW_QUEUE_ALLOC,
} as const satisfies Record<string, IoctlRequest<'iommufd'>>

/** Which requests of iommufd a kernel knows. Whether an IOMMU has the thing is another question. */
export type IommufdFeatures = { readonly [Name in keyof typeof REQUESTS]: boolean }

/**
 * Asks the kernel which requests of iommufd it knows. Nothing is allocated or changed.
 *
 * @throws {@link OpenbarError} `ERR_SYSCALL` when `fd` is no /dev/iommu.
 * @see linux/iommufd.h: an unknown request is ENOTTY, a struct that is too short EINVAL
 *
 * @example
 * ```ts
 * iommufdFeatures(fd).faultQueues // true from Linux 6.11 on
 * ```
 */
export function iommufdFeatures(fd: Fd<'iommufd'>): IommufdFeatures {
  // Every iommufd has IOAS_COPY: what does not is no iommufd, and would seem to have nothing.
  const probe = tryIoctl(fd, IOMMU_IOAS_COPY, new Uint8Array(8))
  if (probe !== -Errno.EINVAL) throw syscallError('ioctl(IOMMU_IOAS_COPY)', -probe, `file descriptor ${fd}`)
  const known = Object.entries(REQUESTS).map(([name, request]) => {
    // A struct of size 0 is too short for every request that there is.
    return [name, tryIoctl(fd, request, new Uint8Array(8)) === -Errno.EINVAL]
  })
  return Object.fromEntries(known) as IommufdFeatures
}
