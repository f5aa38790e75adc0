import type { IommufdAddressSpace } from '@openbar/iommu'
import {
  addressOf,
  defineStruct,
  type Fd,
  type FieldLayout,
  ioctl,
  ioctlRequest,
  type StructView,
  tryIoctl,
} from '@openbar/linux'
import { destroyIn, type Memory } from './iommufd.ts'

// The mock IOMMU of the kernel's own tests (CONFIG_IOMMUFD_TEST): drivers/iommu/iommufd/iommufd_test.h. It is no part of the
// kernel's interface to programs, and no part of the packages.

export const IOMMU_TEST = ioctlRequest('IOMMU_TEST', 0x3ba0, 'iommufd')
/** Size of `struct iommu_test_cmd`. */
const COMMAND_SIZE = 72

/** Bytes of the mock's pages: half of the processor's. */
export const MOCK_PAGE = 2048
/** What the mock translates. */
export const MOCK_APERTURE = { start: 0x100_0000n, last: 0x7fff_ffffn }
/** The format of the mock's nested tables, and of their invalidations. */
export const MOCK_NESTED = 0xdead
export const MOCK_INVALIDATION = 0xdead_beef
/** What the mock's hardware information holds. */
export const MOCK_HARDWARE = { type: 0xfeed_beef, register: 0xdead_beef }

export const MOCK_DEVICE_NO_DIRTY = 1 << 0

const OPERATIONS = {
  addReserved: 1,
  mockDomain: 2,
  checkMap: 3,
  checkReferences: 4,
  mockDomainReplace: 10,
  mockDomainFlags: 12,
  dirty: 13,
  checkIotlb: 14,
  triggerFault: 15,
} as const

function defineCommand<const Fields extends Record<string, FieldLayout>>(operation: number, fields: Fields) {
  const struct = defineStruct('iommu_test_cmd', COMMAND_SIZE, fields)
  return (id: number, fill: (command: StructView<Fields>) => void = () => {}): StructView<Fields> => {
    const command = struct.allocate()
    command.view.setUint32(0, COMMAND_SIZE, true)
    command.view.setUint32(4, operation, true)
    command.view.setUint32(8, id, true)
    fill(command)
    return command
  }
}

const newDevice = { out_stdev_id: ['u32', 16], out_hwpt_id: ['u32', 20], out_idev_id: ['u32', 24] } as const
const addReservedCommand = defineCommand(OPERATIONS.addReserved, { start: ['u64', 16], length: ['u64', 24] })
const deviceCommand = defineCommand(OPERATIONS.mockDomainFlags, { ...newDevice, dev_flags: ['u32', 28] })
const replaceCommand = defineCommand(OPERATIONS.mockDomainReplace, { pt_id: ['u32', 16] })
const checkMapCommand = defineCommand(OPERATIONS.checkMap, {
  iova: ['u64', 16],
  length: ['u64', 24],
  uptr: ['u64', 32],
})
const checkReferencesCommand = defineCommand(OPERATIONS.checkReferences, {
  length: ['u64', 16],
  uptr: ['u64', 24],
  refs: ['u32', 32],
})
const dirtyCommand = defineCommand(OPERATIONS.dirty, {
  flags: ['u32', 16],
  iova: ['u64', 24],
  length: ['u64', 32],
  page_size: ['u64', 40],
  uptr: ['u64', 48],
  out_nr_dirty: ['u64', 56],
})
const checkIotlbCommand = defineCommand(OPERATIONS.checkIotlb, { entry: ['u32', 16], iotlb: ['u32', 20] })
const triggerFaultCommand = defineCommand(OPERATIONS.triggerFault, {
  dev_id: ['u32', 16],
  pasid: ['u32', 20],
  grpid: ['u32', 24],
  perm: ['u32', 28],
  addr: ['u64', 32],
})

/** A device behind the mock IOMMU, attached to a page table from the start. */
export class MockDevice {
  /** The device's number, as binding a real one would answer. */
  readonly deviceId: number
  /** The page table that the kernel attached it to. */
  readonly pageTable: number
  readonly #fd: Fd<'iommufd'>
  readonly #object: number

  /** @param table - An address space or a page table. */
  constructor(fd: Fd<'iommufd'>, table: number, flags = 0) {
    const command = deviceCommand(table, (command) => {
      command.dev_flags = flags
    })
    ioctl(fd, IOMMU_TEST, command, 'a mock device')
    this.#fd = fd
    this.#object = command.out_stdev_id
    this.deviceId = command.out_idev_id
    this.pageTable = command.out_hwpt_id
  }

  /** Attaches it to another address space or page table. */
  attach(table: number): void {
    const command = replaceCommand(this.#object, (command) => {
      command.pt_id = table
    })
    ioctl(this.#fd, IOMMU_TEST, command, `mock device ${this.deviceId}`)
  }

  /** Has the device ask for a page. */
  requestPage(request: { address: bigint; permissions: number; group: number; pasid?: number }): void {
    const command = triggerFaultCommand(0, (command) => {
      command.dev_id = this.deviceId
      command.pasid = request.pasid ?? 0
      command.grpid = request.group
      command.perm = request.permissions
      command.addr = request.address
    })
    ioctl(this.#fd, IOMMU_TEST, command, `mock device ${this.deviceId}`)
  }

  /** Takes the device away. */
  destroy(): void {
    destroyIn(this.#fd, this.#object)
  }
}

/** Keeps a range of an address space from being mapped, as a device's reserved region does. Answers as C would. */
export function addReserved({ fd, ioas }: IommufdAddressSpace, start: bigint, length: bigint): number {
  const command = addReservedCommand(ioas, (command) => {
    command.start = start
    command.length = length
  })
  return tryIoctl(fd, IOMMU_TEST, command)
}

/** Whether a page table of the mock leads to this memory. */
export function leadsTo(fd: Fd<'iommufd'>, table: number, iova: bigint, memory: Memory): boolean {
  const command = checkMapCommand(table, (command) => {
    command.iova = iova
    command.length = BigInt(memory.size)
    command.uptr = memory.address
  })
  return tryIoctl(fd, IOMMU_TEST, command) === 0
}

/** Whether each page of this memory is pinned so many times. */
export function isPinned(fd: Fd<'iommufd'>, memory: Memory, times: number): boolean {
  const command = checkReferencesCommand(0, (command) => {
    command.length = BigInt(memory.size)
    command.uptr = memory.address
    command.refs = times
  })
  return tryIoctl(fd, IOMMU_TEST, command) === 0
}

/**
 * Has a device write: marks pages of the mock, by their number from `iova` on.
 *
 * @returns How many of them are mapped, and so were marked.
 */
export function writePages(fd: Fd<'iommufd'>, table: number, iova: bigint, pages: readonly number[]): number {
  const count = Math.max(...pages) + 1
  const bits = new Uint8Array(4096 * Math.ceil(count / 8 / 4096))
  for (const page of pages) bits[page >> 3] = (bits[page >> 3] ?? 0) | (1 << (page & 7))
  const command = dirtyCommand(table, (command) => {
    command.iova = iova
    command.length = BigInt(count * MOCK_PAGE)
    command.page_size = BigInt(MOCK_PAGE)
    command.uptr = addressOf(bits)
  })
  ioctl(fd, IOMMU_TEST, command, `page table ${table}`)
  // Read here, so that it lives as long as the call.
  if (bits.byteLength === 0) throw new Error('no pages')
  return Number(command.out_nr_dirty)
}

/** Whether an entry of a nested table's mock TLB holds a value. */
export function tlbHolds(fd: Fd<'iommufd'>, table: number, entry: number, value: number): boolean {
  const command = checkIotlbCommand(table, (command) => {
    command.entry = entry
    command.iotlb = value
  })
  return tryIoctl(fd, IOMMU_TEST, command) === 0
}
