import type { Fd } from '@openbar/linux'

/** The groups that are open in this thread; the kernel lets each be opened once. */
const held = new Map<number, Fd<'group'>>()

/** Notes that a group is open, until what it answers is called. */
export function holdGroup(group: number, fd: Fd<'group'>): () => void {
  held.set(group, fd)
  return () => {
    if (held.get(group) === fd) held.delete(group)
  }
}

/**
 * The file of a group that this program has open for its domains, whichever of them that is; `undefined` when none has, as on
 * iommufd, where devices are opened without their group. It belongs to the domain: do not close it.
 *
 * A reset of several devices asks for these files, as proof that all of them are the caller's.
 *
 * @see linux/vfio.h, `struct vfio_pci_hot_reset`
 *
 * @example
 * ```ts
 * const fds = [1, 2].map(heldGroup)
 * ```
 */
export function heldGroup(group: number): Fd<'group'> | undefined {
  return held.get(group)
}
