import { closeFd, type Fd, OpenbarError, openFd } from '@openbar/linux'

const IOMMUFD = '/dev/iommu'

/**
 * An open /dev/iommu. Objects of one context can work together (replacing a domain, copying a mapping), so domains
 * share one per process unless they ask for their own.
 */
export class IommufdContext {
  static #shared: IommufdContext | undefined

  readonly #fd: Fd<'iommufd'>
  #users = 1

  private constructor() {
    this.#fd = openFd(IOMMUFD)
  }

  /** @throws {@link OpenbarError} `ERR_CLOSED` after the last use: the number may be another file's by then. */
  get fd(): Fd<'iommufd'> {
    if (this.#users > 0) return this.#fd
    throw new OpenbarError('ERR_CLOSED', {
      message: 'The iommufd context was closed with its last domain.',
      context: { what: 'iommufd context' },
    })
  }

  /** A context of its own, or another use of the process's. Give it back with {@link IommufdContext.release}. */
  static acquire(isolated: boolean): IommufdContext {
    if (isolated) return new IommufdContext()
    const shared = IommufdContext.#shared
    if (shared === undefined) {
      IommufdContext.#shared = new IommufdContext()
      return IommufdContext.#shared
    }
    shared.#users += 1
    return shared
  }

  /** Ends one use; the last one closes it. */
  release(): void {
    this.#users -= 1
    if (this.#users > 0) return
    if (IommufdContext.#shared === this) IommufdContext.#shared = undefined
    closeFd(this.#fd)
  }
}
