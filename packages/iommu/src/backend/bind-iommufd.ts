import { existsSync } from 'node:fs'
import {
  addressOf,
  Errno,
  type Fd,
  invalidArgument,
  OpenbarError,
  syscallError,
  tryIoctl,
  VFIO_DEVICE_BIND_FLAG_TOKEN,
  VFIO_DEVICE_BIND_IOMMUFD,
  vfioDeviceBindIommufd,
  vfioDeviceBindIommufdToken,
} from '@openbar/linux'
import type { Attachable } from '../attachable.ts'
import { groupBusyError } from '../groups/group-busy-error.ts'
import { unsafeInterruptsError } from '../groups/group-handle.ts'
import { readGroup } from '../groups/groups.ts'
import { notViableError } from '../groups/not-viable-error.ts'
import { vfTokenError } from '../groups/vf-token-error.ts'

const SYSCALL = 'ioctl(VFIO_DEVICE_BIND_IOMMUFD)'

/** What came of binding a device to an iommufd context: the kernel's number for it there, or how to say what went wrong. */
export type Bound = { readonly deviceId: number } | { readonly error: () => OpenbarError }

/**
 * Binds a device's character device to an iommufd context.
 *
 * The error is made when it is asked for, after the device's file was closed: it names the holders.
 *
 * @see linux/vfio.h, `struct vfio_device_bind_iommufd`
 */
export function bindIommufd(fd: Fd<'device'>, device: Attachable, iommufd: Fd<'iommufd'>): Bound {
  const { vfToken } = device
  const [result, deviceId] = vfToken === undefined ? bind(fd, iommufd) : bindWithToken(fd, iommufd, uuidBytes(vfToken))
  if (result >= 0) return { deviceId }
  const tokens = vfToken === undefined || knowsTokens(fd, iommufd)
  return { error: () => (tokens ? bindError(device, -result) : noTokensError(device)) }
}

function bind(fd: Fd<'device'>, iommufd: Fd<'iommufd'>): [result: number, deviceId: number] {
  const request = vfioDeviceBindIommufd.allocate()
  request.argsz = vfioDeviceBindIommufd.size
  request.iommufd = iommufd
  return [tryIoctl(fd, VFIO_DEVICE_BIND_IOMMUFD, request), request.out_devid]
}

function bindWithToken(
  fd: Fd<'device'>,
  iommufd: Fd<'iommufd'>,
  token: Uint8Array | undefined,
): [result: number, deviceId: number] {
  const request = vfioDeviceBindIommufdToken.allocate()
  request.argsz = vfioDeviceBindIommufdToken.size
  request.flags = VFIO_DEVICE_BIND_FLAG_TOKEN
  request.iommufd = iommufd
  if (token !== undefined) request.token_uuid_ptr = addressOf(token)
  const result = tryIoctl(fd, VFIO_DEVICE_BIND_IOMMUFD, request)
  // Read here, so that the token lives as long as the call.
  return token?.byteLength === 0 ? [-Errno.EINVAL, 0] : [result, request.out_devid]
}

/** A kernel that knows of tokens cannot read one at address 0; another one refuses the flag before. */
function knowsTokens(fd: Fd<'device'>, iommufd: Fd<'iommufd'>): boolean {
  return bindWithToken(fd, iommufd, undefined)[0] !== -Errno.EINVAL
}

/** A UUID's bytes in the order of its text, as the kernel's `uuid_t` has them. */
function uuidBytes(uuid: string): Uint8Array {
  return Uint8Array.from(Buffer.from(uuid.replaceAll('-', ''), 'hex'))
}

function noTokensError({ address }: Attachable): OpenbarError<'ERR_NOT_SUPPORTED'> {
  return new OpenbarError('ERR_NOT_SUPPORTED', {
    message: `${address} cannot be opened with a VF token on iommufd: this kernel takes tokens through groups alone.`,
    hint: "Use a domain on type1: Domain.open({ backend: 'type1' }).",
    context: { what: 'VF tokens on iommufd' },
    errno: Errno.EINVAL,
    syscall: SYSCALL,
  })
}

/** What the kernel's refusal to bind a device to an iommufd context means. */
function bindError(device: Attachable, errno: number): OpenbarError {
  const { address, given, group: id } = device
  const token = vfTokenError(device, errno, SYSCALL)
  if (token !== undefined) return token
  // The kernel claims the whole group for this context; it cannot while a neighbour has a kernel driver.
  const group = existsSync(`/sys/kernel/iommu_groups/${id}`) ? readGroup(id) : undefined
  if (group?.viable === false) return notViableError(group)
  if (given !== undefined && (errno === Errno.EINVAL || errno === Errno.ENOTTY)) {
    return invalidArgument(
      'fd',
      given.fd,
      'the open VFIO character device of a device that is not bound to an iommufd yet',
    )
  }
  // EINVAL: the character device can be opened many times and bound once. EPERM: the group is claimed by another
  // context, or interrupts are not remapped; only a look at who has it tells which.
  const busy = groupBusyError(device, { errno, syscall: SYSCALL })
  const held = given === undefined && busy.context.holders.length > 0
  if (errno === Errno.EBUSY || (held && (errno === Errno.EINVAL || errno === Errno.EPERM))) return busy
  if (errno === Errno.EPERM) return unsafeInterruptsError(id)
  return syscallError(SYSCALL, errno, address)
}
