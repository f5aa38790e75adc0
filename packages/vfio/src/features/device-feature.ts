import {
  Errno,
  type Fd,
  OpenbarError,
  syscallError,
  tryIoctl,
  VFIO_DEVICE_FEATURE,
  VFIO_DEVICE_FEATURE_GET,
  VFIO_DEVICE_FEATURE_PROBE,
  VFIO_DEVICE_FEATURE_SET,
  vfioDeviceFeature,
} from '@openbar/linux'

/** What can be done with a feature's data. */
export type FeatureAccess = 'get' | 'set'

const FLAGS = { get: VFIO_DEVICE_FEATURE_GET, set: VFIO_DEVICE_FEATURE_SET }

/** How kernels say that they, or the device's driver in them, do not have a feature. */
const NOT_HERE: readonly number[] = [Errno.ENOTTY, Errno.EINVAL, Errno.EOPNOTSUPP, Errno.ENODEV]

/** Whether the device has a feature, and lets it be read or written. Changes nothing. */
export function hasFeature(fd: Fd<'device'>, feature: number, access: FeatureAccess, address: string): boolean {
  const result = request(fd, feature, FLAGS[access] | VFIO_DEVICE_FEATURE_PROBE, new Uint8Array(0))
  if (result >= 0) return true
  if (NOT_HERE.includes(-result)) return false
  throw syscallError('ioctl(VFIO_DEVICE_FEATURE, probe)', -result, address)
}

/**
 * Reads or writes a feature's data, in place.
 *
 * @returns What the ioctl answers: 0, a file descriptor, or the negated errno.
 * @see linux/vfio.h, `struct vfio_device_feature`
 */
export function tryFeature(fd: Fd<'device'>, feature: number, access: FeatureAccess, data: Uint8Array): number {
  return request(fd, feature, FLAGS[access], data)
}

/** A feature that a device may not have: its number, and what errors call it. */
export interface FeatureRequest {
  readonly feature: number
  readonly access: FeatureAccess
  /** What errors call it: `migration`. */
  readonly what: string
}

/**
 * {@link tryFeature}, with an error for a refusal.
 *
 * @throws {@link OpenbarError} `ERR_NOT_SUPPORTED` when the device does not have the feature; `ERR_SYSCALL`.
 */
export function useFeature(fd: Fd<'device'>, address: string, asked: FeatureRequest, data: Uint8Array): number {
  const result = tryFeature(fd, asked.feature, asked.access, data)
  if (result >= 0) return result
  // EINVAL may be about what was asked; only a probe tells.
  if (NOT_HERE.includes(-result) && !hasFeature(fd, asked.feature, asked.access, address)) {
    throw notHere(address, asked.what, -result)
  }
  throw syscallError(`ioctl(VFIO_DEVICE_FEATURE, ${asked.what})`, -result, address)
}

/** The error for a feature that the device does not have. */
export function notHere(address: string, what: string, errno?: number): OpenbarError<'ERR_NOT_SUPPORTED'> {
  return new OpenbarError('ERR_NOT_SUPPORTED', {
    message: `${address} has no ${what}: its VFIO driver in this kernel does not offer that.`,
    hint: 'device.features says what it has. A vendor driver (such as mlx5_vfio_pci) or a newer kernel may have more.',
    context: { what },
    ...(errno === undefined ? {} : { errno, syscall: 'ioctl(VFIO_DEVICE_FEATURE)' }),
  })
}

function request(fd: Fd<'device'>, feature: number, flags: number, data: Uint8Array): number {
  const message = vfioDeviceFeature.allocate(data.byteLength)
  message.argsz = message.bytes.byteLength
  message.flags = feature | flags
  message.bytes.set(data, vfioDeviceFeature.size)
  const result = tryIoctl(fd, VFIO_DEVICE_FEATURE, message)
  if (result >= 0) data.set(message.bytes.subarray(vfioDeviceFeature.size))
  return result
}
