import { invalidArgument, OpenbarError } from '@openbar/linux'
import { assertAccess } from '../access.ts'
import type { AddressSpace } from '../address-space.ts'
import type { Backend } from '../backend/backend.ts'
import { DomainMapping } from '../domain-mapping.ts'
import { isMapped } from '../iommufd/is-mapped.ts'
import { assertSize, formatRange, toPageAddress } from '../iova.ts'
import type { AdoptedMapping, AdoptOptions } from './adopt-options.ts'
import { ForeignMemory } from './foreign-memory.ts'

/**
 * Puts into the books what was mapped before the domain was handed over.
 *
 * @throws {@link OpenbarError} `ERR_INVALID_ARGUMENT`, `ERR_IOVA_IN_USE`, `ERR_NOT_MAPPED`.
 */
export function adoptMappings({ mappings = [] }: AdoptOptions, backend: Backend, space: AddressSpace): void {
  for (const each of mappings) {
    const mapping = toMapping(each, space.pageSize)
    space.adopt(mapping)
    assertPresent(mapping, backend)
  }
}

function toMapping({ iova, size, access }: AdoptedMapping, pageSize: number): DomainMapping {
  assertAccess(access)
  assertSize(size)
  const start = toPageAddress(iova)
  if (start % pageSize === 0 && size % pageSize === 0)
    return new DomainMapping(start, new ForeignMemory(size), 0, access)
  throw invalidArgument('mappings', { iova, size }, `made of whole pages of ${pageSize} bytes`)
}

function assertPresent({ iova, size }: DomainMapping, { iommufd }: Backend): void {
  if (iommufd === undefined || isMapped(iommufd, iova, BigInt(size))) return
  throw new OpenbarError('ERR_NOT_MAPPED', {
    message: `${formatRange(iova, BigInt(size))} is not mapped in the address space that was handed over.`,
    hint: 'Whoever hands it over has to say what is mapped in it.',
    context: { iova, size: BigInt(size) },
  })
}
