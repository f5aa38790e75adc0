import { asFd, invalidArgument, isOpenbarError } from '@openbar/linux'
import { assertChoice } from '../assert-choice.ts'
import type { Backend } from '../backend/backend.ts'
import { IommufdBackend } from '../backend/iommufd-backend.ts'
import { Type1Backend } from '../backend/type1-backend.ts'
import { ADOPTABLE, type AdoptOptions } from './adopt-options.ts'

/**
 * A backend over an address space that somebody else has made. When it throws, the file still belongs to the caller.
 *
 * @throws {@link OpenbarError} `ERR_INVALID_ARGUMENT` for a file that is none of such an address space.
 */
export function adoptBackend(options: AdoptOptions): Backend {
  assertChoice('backend', options.backend, ADOPTABLE)
  const fd = asFd(options.fd)
  try {
    if (options.backend !== 'iommufd') return Type1Backend.adopt(options.backend, asFd<'container'>(fd))
    return IommufdBackend.adopt(asFd<'iommufd'>(fd), options.ioas)
  } catch (error) {
    if (!isOpenbarError(error, 'ERR_SYSCALL')) throw error
    const what =
      options.backend === 'iommufd' ? `an iommufd with address space ${options.ioas}` : 'a container with a group'
    throw invalidArgument('fd', options.fd, `${what}; the kernel says: ${error.message}`)
  }
}

/** Has domains that are opened later share the context of an address space that was adopted, if that is wanted. */
export function shareContext(options: AdoptOptions, backend: Backend): void {
  if (options.backend === 'iommufd' && options.shared === true && backend instanceof IommufdBackend) backend.share()
}
