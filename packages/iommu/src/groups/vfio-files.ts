/** The file that every type1 container is opened from. */
export const CONTAINER_FILE = '/dev/vfio/vfio'

/** The file that every iommufd context is opened from. */
export const IOMMUFD_FILE = '/dev/iommu'

/** What `/proc/<pid>/fd` shows for a device that was got through its group: no path, and not which device. */
export const BARE_DEVICE = 'anon_inode:[vfio-device]'

/**
 * The name of a group's file in `/dev/vfio`. A group of a device without an IOMMU has a name that says so.
 *
 * @see Linux drivers/vfio/group.c: vfio_group_alloc
 */
export function groupFileName(id: number, noIommu: boolean): string {
  return `${noIommu ? 'noiommu-' : ''}${id}`
}

/** Whether a path is that of a group's file: `/dev/vfio/12`, `/dev/vfio/noiommu-0`. */
export function isGroupFile(path: string): boolean {
  return /^\/dev\/vfio\/(noiommu-)?\d+$/.test(path)
}

/** Whether a path is that of a file of VFIO or iommufd: a group, a device, the container or `/dev/iommu`. */
export function isVfioFile(path: string): boolean {
  return (
    path === CONTAINER_FILE ||
    path === IOMMUFD_FILE ||
    isGroupFile(path) ||
    /^\/dev\/vfio\/devices\/vfio\d+$/.test(path)
  )
}
