import {
  closeFd,
  type Fd,
  ioctl,
  listDirectory,
  openFd,
  VFIO_DEVICE_ATTACH_IOMMUFD_PT,
  VFIO_DEVICE_BIND_IOMMUFD,
  VFIO_DEVICE_DETACH_IOMMUFD_PT,
  vfioDeviceAttachIommufdPt,
  vfioDeviceBindIommufd,
  vfioDeviceDetachIommufdPt,
} from '@openbar/linux'
import { bindDriver } from '@openbar/pci'

/** A real device that is bound to an iommufd context by hand, without a domain. */
export interface IommufdDevice extends AsyncDisposable {
  /** The device's number in the context. */
  readonly deviceId: number
  /** Attaches it to an address space or a page table. */
  attach(table: number): void
  detach(): void
}

/** Binds a PCI device to vfio-pci and to an iommufd context. Disposing unbinds both. */
export async function bindToIommufd(fd: Fd<'iommufd'>, address: string): Promise<IommufdDevice> {
  await using opening = new AsyncDisposableStack()
  opening.use(await bindDriver(address, 'vfio-pci'))
  const [name] = listDirectory(`/sys/bus/pci/devices/${address}/vfio-dev`)
  const device = openFd<'device'>(`/dev/vfio/devices/${name}`)
  opening.defer(() => closeFd(device))
  const bind = vfioDeviceBindIommufd.allocate()
  bind.argsz = vfioDeviceBindIommufd.size
  bind.iommufd = fd
  ioctl(device, VFIO_DEVICE_BIND_IOMMUFD, bind, address)
  const opened = opening.move()
  return {
    deviceId: bind.out_devid,
    attach(table) {
      const attach = vfioDeviceAttachIommufdPt.allocate()
      attach.argsz = vfioDeviceAttachIommufdPt.size
      attach.pt_id = table
      ioctl(device, VFIO_DEVICE_ATTACH_IOMMUFD_PT, attach, address)
    },
    detach() {
      const detach = vfioDeviceDetachIommufdPt.allocate()
      detach.argsz = vfioDeviceDetachIommufdPt.size
      ioctl(device, VFIO_DEVICE_DETACH_IOMMUFD_PT, detach, address)
    },
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  }
}
