import {
  closeFd,
  type Fd,
  listDirectory,
  openFd,
  tryIoctl,
  VFIO_DEVICE_ATTACH_IOMMUFD_PT,
  VFIO_DEVICE_BIND_IOMMUFD,
  VFIO_DEVICE_DETACH_IOMMUFD_PT,
  VFIO_DEVICE_GET_INFO,
  vfioDeviceAttachIommufdPt,
  vfioDeviceBindIommufd,
  vfioDeviceDetachIommufdPt,
  vfioDeviceInfo,
} from '@openbar/linux'

/** An open VFIO character device, bare: each call answers what the kernel does, 0 or the negated errno. Disposing closes the file. */
export interface Cdev extends Disposable {
  readonly fd: Fd<'device'>
  /** The device's number in the context that it was bound to last. */
  readonly deviceId: number
  bind(iommufd: number, fields?: { argsz?: number; flags?: number }): number
  attach(table: number, fields?: { argsz?: number; flags?: number }): number
  detach(): number
  getInfo(): number
}

/** Opens the character device of a PCI device that is bound to vfio-pci. */
export function openCdev(address: string): Cdev {
  const [name] = listDirectory(`/sys/bus/pci/devices/${address}/vfio-dev`)
  const fd = openFd<'device'>(`/dev/vfio/devices/${name}`)
  let deviceId = 0
  return {
    fd,
    get deviceId() {
      return deviceId
    },
    bind(iommufd, { argsz = vfioDeviceBindIommufd.size, flags = 0 } = {}) {
      const bind = vfioDeviceBindIommufd.allocate()
      Object.assign(bind, { argsz, flags, iommufd })
      const result = tryIoctl(fd, VFIO_DEVICE_BIND_IOMMUFD, bind)
      if (result === 0) deviceId = bind.out_devid
      return result
    },
    attach(table, { argsz = vfioDeviceAttachIommufdPt.size, flags = 0 } = {}) {
      const attach = vfioDeviceAttachIommufdPt.allocate()
      Object.assign(attach, { argsz, flags, pt_id: table })
      return tryIoctl(fd, VFIO_DEVICE_ATTACH_IOMMUFD_PT, attach)
    },
    detach() {
      const detach = vfioDeviceDetachIommufdPt.allocate()
      detach.argsz = vfioDeviceDetachIommufdPt.size
      return tryIoctl(fd, VFIO_DEVICE_DETACH_IOMMUFD_PT, detach)
    },
    getInfo() {
      const info = vfioDeviceInfo.allocate()
      info.argsz = vfioDeviceInfo.size
      return tryIoctl(fd, VFIO_DEVICE_GET_INFO, info)
    },
    [Symbol.dispose]: () => closeFd(fd),
  }
}
