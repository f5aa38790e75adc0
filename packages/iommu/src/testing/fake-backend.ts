import { asFd, type InclusiveRange } from '@openbar/linux'
import type { DmaAccess } from '../access.ts'
import type { Attachable } from '../attachable.ts'
import type { Backend, BackendAttachment, BackendName, MappingRequest } from '../backend/backend.ts'

/** What a fake backend is like at first. */
export interface FakeBackendOptions {
  /** `iommufd` is ready at once; `type1`, the other, only while it has a device. */
  readonly name?: BackendName
  readonly ranges?: readonly InclusiveRange[]
  readonly alignment?: number
}

const APERTURE: readonly InclusiveRange[] = [
  { start: 0n, last: 0xfedf_ffffn },
  { start: 0xfef0_0000n, last: 0x7f_ffff_ffffn },
]

/** A mapping in the fake kernel, which has 64-bit addresses as the real one has. */
export interface FakeMapping {
  readonly iova: bigint
  readonly size: bigint
  readonly address: bigint
  readonly access: DmaAccess
}

/** A kernel in memory, that behaves as the backends' do and can be told to refuse. */
export class FakeBackend implements Backend {
  readonly name: BackendName
  readonly translates = true
  readonly iommufd = undefined
  readonly home = this
  readonly file = asFd(100)
  borrowed = false
  readonly alignment: number
  mappingsLeft: number | undefined
  /** What is mapped in the kernel now, by IOVA. */
  readonly mapped = new Map<bigint, FakeMapping>()
  /** Addresses of the devices that are in. */
  readonly devices: string[] = []
  closed = false
  /** The ranges while there are any to tell. */
  aperture: readonly InclusiveRange[]
  /** Makes the kernel refuse a mapping. */
  refuseMap: (request: FakeMapping) => Error | undefined = () => undefined
  /** Makes the kernel refuse a device, after the mappings were made. */
  refuseDevice: (device: Attachable) => Error | undefined = () => undefined
  /** Makes the kernel refuse an unmapping, or unmap so many bytes only. */
  refuseUnmap: (iova: bigint, size: bigint) => Error | bigint | undefined = () => undefined
  refuseClose: Error | undefined
  /** Another backend that devices can be moved to in one step. */
  sibling: FakeBackend | undefined
  refuseReplace: Error | undefined
  /** Whether a device may still write to memory. */
  busMaster = false

  constructor({ name = 'iommufd', ranges = APERTURE, alignment = 1 }: FakeBackendOptions = {}) {
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

  map({ start, size, address, access }: MappingRequest): void {
    const request = { iova: BigInt(start), size: BigInt(size), address: BigInt(address), access }
    if (!this.ready || this.closed) throw new Error('mapped where there is no page table')
    const refused = this.refuseMap(request)
    if (refused !== undefined) throw refused
    if (this.mapped.has(request.iova)) throw new Error('mapped twice')
    this.mapped.set(request.iova, request)
  }

  unmap(start: number, size: number): number {
    if (!this.ready || this.closed) throw new Error('unmapped where there is no page table')
    const refused = this.refuseUnmap(BigInt(start), BigInt(size))
    if (refused instanceof Error) throw refused
    if (refused !== undefined) return Number(refused)
    const end = BigInt(start + size)
    const within = [...this.mapped.values()].filter(({ iova }) => iova >= start && iova < end)
    if (within.length === 0 || within.some((each) => each.iova + each.size > end)) {
      throw new Error('unmapped what is not mapped')
    }
    for (const { iova } of within) this.mapped.delete(iova)
    return within.reduce((sum, each) => sum + Number(each.size), 0)
  }

  attach(device: Attachable, onReady: () => void): BackendAttachment {
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
    return {
      fd: asFd<'device'>(100),
      deviceId: undefined,
      assertAtRest: () => {
        if (this.busMaster) throw new Error('bus master')
      },
      usePageTable: () => {},
      detach: () => this.#leave(device),
    }
  }

  replaceable(other: Backend): boolean {
    return other === this.sibling
  }

  replace(_group: readonly BackendAttachment[], other: Backend): void {
    if (this.refuseReplace !== undefined) throw this.refuseReplace
    ;(other as FakeBackend).devices.push(...this.devices.splice(0))
  }

  dirtyTracking(): never {
    throw new Error('no dirty tracking')
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
