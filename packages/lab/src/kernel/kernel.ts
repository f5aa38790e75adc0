/** A kernel that the lab can boot: Debian's own, or one built with IOMMUFD. */
export type KernelKind = 'distro' | 'iommufd'

/** Both kinds, in the order in which they are set up. */
export const kernelKinds: readonly KernelKind[] = ['distro', 'iommufd']

/** A kernel in the cache, complete and verified. */
export interface Kernel {
  readonly kind: KernelKind
  /** What distinguishes it from every other: kind, version and a hash of all inputs. */
  readonly id: string
  /** What `uname -r` says in it. */
  readonly release: string
  /** The bootable image. */
  readonly image: string
  /** The directory that holds `lib/modules/<release>`, `config` and `System.map`. */
  readonly directory: string
  /** The inputs that it was made from. */
  readonly inputs: Readonly<Record<string, string | number>>
}
