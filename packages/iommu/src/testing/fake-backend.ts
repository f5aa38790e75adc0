import { asFd, type InclusiveRange } from '@openbar/linux'
import type { Attachable, Attachment } from '../attachable.ts'
import type { Backend, BackendName, MappingRequest } from '../backend/backend.ts'

/** What a fake backend is like at first. */
export interface FakeBackendOptions {
  /** `iommufd` is ready at once; `type1`, the other, only while it has a device. */
  readonly name?: BackendName
  readonly ranges?: readonly InclusiveRange[]
  readonly alignment?: bigint
}

const APERTURE: readonly InclusiveRange[] = [
  { start: 0n, last: 0xfedf_ffffn },
  { start: 0xfef0_0000n, last: 0x7f_ffff_ffffn },
]

/** A kernel in memory, that behaves as the backends' do and can be told to refuse. */
export class FakeBackend implements Backend {
  readonly name: BackendName
  readonly alignment: bigint
  /** What is mapped in the kernel now, by IOVA. */
  readonly mapped = new Map<bigint, MappingRequest>()
  /** Addresses of the devices that are in. */
  readonly devices: string[] = []
  closed = false
  /** The ranges while there are any to tell. */
  aperture: readonly InclusiveRange[]
  /** Makes the kernel refuse a mapping. */
  refuseMap: (request: MappingRequest) => Error | undefined = () => undefined
  /** Makes the kernel refuse a device, after the mappings were made. */
  refuseDevice: (device: Attachable) => Error | undefined = () => undefined
  /** Makes the kernel refuse an unmapping, or unmap so many bytes only. */
  refuseUnmap: (iova: bigint, size: bigint) => Error | bigint | undefined = () => undefined
  refuseClose: Error | undefined

  constructor({ name = 'iommufd', ranges = APERTURE, alignment = 1n }: FakeBackendOptions = {}) {
    this.name = name
    this.aperture = ranges
    this.alignment = alignment
  }

  get ready(): boolean {
    return this.name === 'iommufd' || this.devices.length > 0
  }

  ranges(): readonly InclusiveRange[] | undefined {
    return this.ready ? this.aperture : undefined
  }

  map(request: MappingRequest): void {
    if (!this.ready || this.closed) throw new Error('mapped where there is no page table')
    const refused = this.refuseMap(request)
    if (refused !== undefined) throw refused
    if (this.mapped.has(request.iova)) throw new Error('mapped twice')
    this.mapped.set(request.iova, request)
  }

  unmap(iova: bigint, size: bigint): bigint {
    if (!this.ready || this.closed) throw new Error('unmapped where there is no page table')
    const refused = this.refuseUnmap(iova, size)
    if (refused instanceof Error) throw refused
    if (refused !== undefined) return refused
    if (this.mapped.get(iova)?.size !== size) throw new Error('unmapped what is not mapped')
    this.mapped.delete(iova)
    return size
  }

  attach(device: Attachable, onReady: () => void): Attachment {
    const first = !this.ready
    this.devices.push(device.address)
    try {
      if (first) onReady()
      const refused = this.refuseDevice(device)
      if (refused !== undefined) throw refused
    } catch (error) {
      this.#leave(device)
      throw error
    }
    return { fd: asFd<'device'>(100), detach: () => this.#leave(device) }
  }

  close(): void {
    if (this.devices.length > 0) throw new Error('closed with devices in it')
    if (this.closed) throw new Error('closed twice')
    this.closed = true
    if (this.refuseClose !== undefined) throw this.refuseClose
    this.mapped.clear()
  }

  #leave({ address }: Attachable): void {
    this.devices.splice(this.devices.indexOf(address), 1)
    // A container without groups has no page table.
    if (!this.ready) this.mapped.clear()
  }
}
