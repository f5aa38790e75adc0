import { type Fd, ioctl, OpenbarError, VFIO_MIG_GET_PRECOPY_INFO, vfioPrecopyInfo } from '@openbar/linux'
import type { FeatureOwner } from './feature-owner.ts'
import { OwnedFd } from './owned-fd.ts'
import { OwnedView } from './owned-view.ts'

/** How much of a device's state is left to read while it runs. The device estimates; in bytes. */
export interface PreCopyInfo {
  /** Of what there was at the start. It is best to stop the device once this is 0. */
  readonly initial: bigint
  /** Of what has changed since it was read. */
  readonly dirty: bigint
}

/**
 * The file that a device's state goes through, between two states of {@link Migration.setState}. What it gives is to be kept in
 * order, and means something to the same kind of device only.
 *
 * Read and write it with the functions of `node:fs` and {@link MigrationStream.fd}. Reading gives 0 bytes at the end; in the
 * states of pre-copy it fails with `ENOMSG` when there is nothing now.
 *
 * @see linux/vfio.h, `enum vfio_device_mig_state`
 *
 * @example
 * ```ts
 * using stream = device.migration.setState('stop-copy')
 * if (stream !== undefined) readSync(stream.fd, buffer)
 * ```
 */
export class MigrationStream extends OwnedView<OwnedFd> {
  readonly #address: string

  /** @internal Made by `device.migration.setState`. */
  constructor(owner: FeatureOwner, fd: Fd<'file'>) {
    super(owner, new OwnedFd(fd))
    this.#address = owner.address
  }

  /**
   * The file. Do not close it.
   *
   * @throws {@link OpenbarError} `ERR_CLOSED`.
   */
  get fd(): Fd<'file'> {
    if (!this.closed) return this.half.fd
    throw new OpenbarError('ERR_CLOSED', {
      message: `This migration stream of ${this.#address} was closed or taken away.`,
      context: { what: 'migration stream' },
    })
  }

  /**
   * How much is left to read, in the states of pre-copy.
   *
   * @throws {@link OpenbarError} `ERR_CLOSED`; `ERR_SYSCALL` in any other state.
   */
  preCopyInfo(): PreCopyInfo {
    const info = vfioPrecopyInfo.allocate()
    info.argsz = vfioPrecopyInfo.size
    ioctl(this.fd, VFIO_MIG_GET_PRECOPY_INFO, info, `the migration stream of ${this.#address}`)
    return { initial: info.initial_bytes, dirty: info.dirty_bytes }
  }
}
