import { setTimeout as sleep } from 'node:timers/promises'
import { type Attachable, type Attachment, Domain } from '@openbar/iommu'
import { asFd, Errno, type Fd, isOpenbarError } from '@openbar/linux'
import type { Description } from './description.ts'
import { quietDevice } from './quiet-device.ts'

/** How long the kernel may take to close the files of a process that has ended. */
const CLOSING_MS = 3000

/** An address space of its own for a program that drives a device, with the device in it. */
export class Lease {
  readonly #location: Attachable
  readonly #domain: Domain
  readonly #attachment: Attachment

  private constructor(location: Attachable, domain: Domain, attachment: Attachment) {
    this.#location = location
    this.#domain = domain
    this.#attachment = attachment
  }

  /**
   * Makes a new, empty address space and lets the device in.
   *
   * @throws {@link OpenbarError} as {@link Domain.open} and {@link Domain.attach}.
   */
  static async open(location: Attachable, backend: Description['backend'] | 'auto'): Promise<Lease> {
    // Each program's pinned memory counts by itself, as on type1, not together with all others of its user.
    const rlimitMode = { rlimitMode: 'process' as const }
    const domain = await Domain.open({ backend, isolated: true, ...rlimitMode })
    try {
      return new Lease(location, domain, await attachWhenFree(domain, location))
    } catch (error) {
      domain.close()
      throw error
    }
  }

  /** What the program is told. */
  get description(): Description {
    const { backend, mappings = [], ...space } = this.#domain.handOver()
    return {
      address: this.#location.address,
      group: this.#location.group,
      addressBits: this.#location.addressBits ?? 64,
      backend,
      ioas: 'ioas' in space ? space.ioas : undefined,
      deviceId: this.#attachment.deviceId,
      mappings: mappings.map(({ iova, size, access }) => ({ iova: `${BigInt(iova)}`, size, access })),
    }
  }

  /** The files that the program gets: the device's and the address space's. */
  get files(): { readonly device: Fd<'device'>; readonly space: Fd } {
    return { device: this.#attachment.fd, space: asFd(this.#domain.handOver().fd) }
  }

  /**
   * Stops the device and takes it back: it is quiet, and the address space is gone with all that was mapped in it. Each step is taken
   * whatever becomes of the others.
   *
   * @throws {@link OpenbarError} `ERR_SYSCALL`.
   */
  end(): void {
    using steps = new DisposableStack()
    steps.defer(() => this.#domain.close())
    steps.defer(() => {
      try {
        this.#attachment.detach()
      } catch (error) {
        // The group stays in its container for as long as another process holds the device; who that is, the next one is told.
        if (!isOpenbarError(error, 'ERR_SYSCALL') || error.errno !== Errno.EBUSY) throw error
      }
    })
    steps.defer(() => quietDevice(this.#attachment.fd, this.#location.address))
  }
}

/** The kernel closes the files of a process that has ended when it comes to it. */
async function attachWhenFree(domain: Domain, location: Attachable): Promise<Attachment> {
  const end = performance.now() + CLOSING_MS
  for (;;) {
    try {
      return domain.attach(location)
    } catch (error) {
      if (!mayPass(error) || performance.now() > end) throw error
      await sleep(10)
    }
  }
}

/** Whether it may be that a file of the device is still open, of a process that has ended. */
function mayPass(error: unknown): boolean {
  // Without a system call's refusal it is this process that has the group.
  if (isOpenbarError(error, 'ERR_GROUP_BUSY')) return error.errno !== undefined
  return isOpenbarError(error, 'ERR_SYSCALL') && (error.errno === Errno.EINVAL || error.errno === Errno.EBUSY)
}
