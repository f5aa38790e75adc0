import { type AdoptOptions, type Attachable, Domain } from '@openbar/iommu'
import { asFd, closeFd, closeOnExec, type Fd, MessageSocket } from '@openbar/linux'
import type { Description } from './description.ts'
import { Leash } from './leash.ts'

/** The files that go along with a description, in this order; the group's is never among them. */
export interface GivenFiles {
  readonly device: Fd
  readonly space: Fd
  readonly leash: Fd
}

/** A device that was taken over, before it is opened. */
export interface TakenOver {
  readonly location: Attachable
  readonly domain: Domain
  readonly addressBits: number
  readonly leash: Leash
}

/**
 * Takes a device over, with the address space that it is in. All files belong to what is returned; when it throws, they are closed.
 *
 * @throws {@link OpenbarError} `ERR_INVALID_ARGUMENT` for files that are not what they should be; `ERR_SYSCALL`.
 */
export async function takeOver(description: Description, files: GivenFiles): Promise<TakenOver> {
  using failed = new DisposableStack()
  // Grandchildren that inherited them would keep the device.
  for (const fd of [files.leash, files.space, files.device]) {
    failed.adopt(fd, closeFd)
    closeOnExec(fd)
  }
  const { address, group, deviceId, addressBits } = description
  const leash = new Leash(MessageSocket.fromFd(asFd<'socket'>(files.leash)))
  const domain = await Domain.adopt(adoptOptions(description, files.space))
  const fd = asFd<'device'>(files.device)
  const given = domain.givenDevice(fd, { deviceId, onClose: () => leash.close() })
  failed.move()
  return { location: { address, group, cdev: undefined, given }, domain, addressBits, leash }
}

function adoptOptions({ backend, ioas, mappings }: Description, fd: Fd): AdoptOptions {
  const mapped = mappings.map(({ iova, size, access }) => ({ iova: BigInt(iova), size, access }))
  // A process without rights cannot open an iommufd of its own: its further domains share this one.
  if (backend === 'iommufd') return { backend, fd, ioas: ioas ?? -1, shared: true, mappings: mapped }
  return { backend, fd, mappings: mapped }
}
