import { type BigIntStats, fstatSync } from 'node:fs'
import { type Attachable, GivenDevice } from '@openbar/iommu'
import { asFd, Errno, errnoOf, invalidArgument, readText } from '@openbar/linux'
import { locateDevice } from '../device/locate-device.ts'

/**
 * Finds what a domain has to know of a device whose file was given, and looks whether the file is that device's where that can be seen.
 *
 * @throws {@link OpenbarError} `ERR_INVALID_ARGUMENT` for another device's file; and as for a device that is not given.
 */
export function locateGiven(address: string, file: number | GivenDevice): Attachable {
  const given = file instanceof GivenDevice ? file : new GivenDevice(asFd<'device'>(file))
  const located = locateDevice(address)
  const name = located.cdev?.split('/').at(-1)
  const number = readText(`/sys/bus/pci/devices/${address}/vfio-dev/${name}/dev`)
  // What was got through a group is no character device, and does not tell whose it is.
  const stats = statsOf(given)
  if (number !== undefined && stats.isCharacterDevice() && deviceNumber(stats) !== number) {
    throw invalidArgument('fd', given.fd, `the open file ${located.cdev} of ${address}`)
  }
  return { ...located, given }
}

function statsOf({ fd }: GivenDevice): BigIntStats {
  try {
    return fstatSync(fd, { bigint: true })
  } catch (error) {
    if (errnoOf(error) === Errno.EBADF) throw invalidArgument('fd', fd, 'an open file of this process')
    throw error
  }
}

/** The number as sysfs writes it. */
function deviceNumber({ rdev }: BigIntStats): string {
  // The C library's gnu_dev_major and gnu_dev_minor.
  const major = ((rdev >> 8n) & 0xfffn) | ((rdev >> 32n) & 0xffff_f000n)
  const minor = (rdev & 0xffn) | ((rdev >> 12n) & 0xffff_ff00n)
  return `${major}:${minor}`
}
