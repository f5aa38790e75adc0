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

  private constructor(fd: Fd<'iommufd'>) {
    this.#fd = fd
  }

  /** Whether this process has a context that new domains share, so that /dev/iommu need not be opened. */
  static get present(): boolean {
    return IommufdContext.#shared !== undefined
  }

  /** A context that somebody else has opened. It is closed with its last domain. */
  static adopt(fd: Fd<'iommufd'>): IommufdContext {
    return new IommufdContext(fd)
  }

  /** Has new domains share it, if this process has no other that they share. */
  share(): void {
    IommufdContext.#shared ??= this
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
    if (isolated) return new IommufdContext(openFd(IOMMUFD))
    const shared = IommufdContext.#shared
    if (shared === undefined) {
      IommufdContext.#shared = new IommufdContext(openFd(IOMMUFD))
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
