import {
  invalidArgument,
  OpenbarError,
  ownFd,
  VFIO_DEVICE_FEATURE_MIG_DATA_SIZE,
  VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE,
  VFIO_DEVICE_FEATURE_MIGRATION,
  VFIO_MIGRATION_P2P,
  VFIO_MIGRATION_PRE_COPY,
  VFIO_MIGRATION_STOP_COPY,
  vfioDeviceFeatureMigDataSize,
  vfioDeviceFeatureMigration,
  vfioDeviceFeatureMigState,
} from '@openbar/linux'
import { hasFeature, notHere, useFeature } from './device-feature.ts'
import type { FeatureOwner } from './feature-owner.ts'
import { hasState, MIGRATION_STATES, type MigrationState, type MigrationSupport } from './migration-state.ts'
import { MigrationStream } from './migration-stream.ts'

const WHAT = 'migration'

/**
 * Moving a device's inner state to another machine, where the device and its VFIO driver can do that.
 *
 * @see linux/vfio.h, `VFIO_DEVICE_FEATURE_MIGRATION`, `enum vfio_device_mig_state`
 *
 * @example
 * ```ts
 * const stream = device.migration.setState('stopCopy') // read it to its end, and send what it gives
 * ```
 */
export class Migration {
  readonly #owner: FeatureOwner

  /** @internal */
  constructor(owner: FeatureOwner) {
    this.#owner = owner
  }

  /**
   * What of it the device has; `undefined` when it cannot be migrated.
   *
   * @throws {@link OpenbarError} `ERR_NO_DOMAIN`, `ERR_CLOSED`, `ERR_LOW_POWER`; `ERR_SYSCALL`.
   */
  get support(): MigrationSupport | undefined {
    const { fd, address } = this.#owner
    if (!hasFeature(fd, VFIO_DEVICE_FEATURE_MIGRATION, 'get', address)) return undefined
    const data = vfioDeviceFeatureMigration.allocate()
    useFeature(fd, address, { feature: VFIO_DEVICE_FEATURE_MIGRATION, access: 'get', what: WHAT }, data.bytes)
    const flags = Number(data.flags)
    if ((flags & VFIO_MIGRATION_STOP_COPY) === 0) return undefined
    return { p2p: (flags & VFIO_MIGRATION_P2P) !== 0, preCopy: (flags & VFIO_MIGRATION_PRE_COPY) !== 0 }
  }

  /**
   * The state that the device is in.
   *
   * @throws {@link OpenbarError} `ERR_NOT_SUPPORTED` when it cannot be migrated; as {@link Migration.support}.
   */
  get state(): MigrationState {
    const { fd, address } = this.#owner
    const data = vfioDeviceFeatureMigState.allocate()
    useFeature(fd, address, { feature: VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE, access: 'get', what: WHAT }, data.bytes)
    const state = MIGRATION_STATES[data.device_state]
    if (state !== undefined) return state
    throw new OpenbarError('ERR_DEVICE_FAULT', {
      message: `${address} is in the migration state ${data.device_state}, which is none that is known.`,
      context: { address, what: 'migration state' },
    })
  }

  /**
   * Brings the device into a state, by way of others where there is no direct one, which the kernel takes by itself.
   *
   * @returns The stream that the device's state goes through, when the change began one: into `preCopy`, `preCopyP2p` or
   *   `stopCopy` to read it, into `resuming` to write it.
   * @throws {@link OpenbarError} `ERR_NOT_SUPPORTED` when it cannot be migrated, or does not have the state;
   *   `ERR_INVALID_ARGUMENT`; `ERR_SYSCALL` when it does not get there: it may be in another state then, or in `error`.
   *
   * @example
   * ```ts
   * using stream = device.migration.setState('resuming')
   * ```
   */
  setState(state: MigrationState): MigrationStream | undefined {
    const number = MIGRATION_STATES.indexOf(state)
    if (number <= 0) throw invalidArgument('state', state, `one of ${MIGRATION_STATES.slice(1).join(', ')}`)
    const { fd, address } = this.#owner
    const { support } = this
    if (support === undefined) throw notHere(address, WHAT)
    if (!hasState(support, state)) throw notHere(address, `migration state ${state}`)
    const data = vfioDeviceFeatureMigState.allocate()
    data.device_state = number
    data.data_fd = -1
    useFeature(fd, address, { feature: VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE, access: 'set', what: WHAT }, data.bytes)
    return data.data_fd < 0 ? undefined : new MigrationStream(this.#owner, ownFd(data.data_fd))
  }

  /**
   * How many bytes reading the device's state would give now, as the device estimates.
   *
   * @throws {@link OpenbarError} `ERR_NOT_SUPPORTED` when it cannot be migrated; as {@link Migration.support}.
   */
  get stopCopySize(): bigint {
    const { fd, address } = this.#owner
    const data = vfioDeviceFeatureMigDataSize.allocate()
    useFeature(fd, address, { feature: VFIO_DEVICE_FEATURE_MIG_DATA_SIZE, access: 'get', what: WHAT }, data.bytes)
    return data.stop_copy_length
  }
}
