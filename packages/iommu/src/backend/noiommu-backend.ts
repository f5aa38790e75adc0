import {
  type Fd,
  OpenbarError,
  openFd,
  preadExactly,
  queryInfo,
  syscallError,
  tryIoctl,
  VFIO_DEVICE_GET_REGION_INFO,
  VFIO_NOIOMMU_IOMMU,
  VFIO_PCI_CONFIG_REGION_INDEX,
  VFIO_SET_IOMMU,
  vfioRegionInfo,
} from '@openbar/linux'
import type { Attachable } from '../attachable.ts'
import { assertUntranslated, noIommuGroupPath } from '../groups/assert-translated.ts'
import type { Backend, BackendAttachment } from './backend.ts'
import { GroupContainer } from './group-container.ts'
import { refuseDirtyTracking, refuseReplace } from './refusals.ts'

const CONTAINER = '/dev/vfio/vfio'
/** The kernel's switch of the mode; it says Y or N. */
export const NOIOMMU_SWITCH = '/sys/module/vfio/parameters/enable_unsafe_noiommu_mode'
const COMMAND = 0x04
const BUS_MASTER = 1 << 2
const GONE = 0xffff

/**
 * No IOMMU at all: devices reach all of the machine's memory, by physical addresses. Nothing is mapped, and a device that is not
 * at rest writes to whatever its old memory is used for next.
 *
 * @see drivers/vfio/container.c, "vfio-noiommu"
 */
export class NoIommuBackend implements Backend {
  readonly name = 'unsafe-noiommu'
  readonly ready = true
  readonly translates = false
  readonly iommufd = undefined
  readonly alignment = 4096
  readonly home = this
  readonly borrowed = false
  readonly mappingsLeft = undefined
  readonly #container: GroupContainer
  readonly #devices = new Map<string, Fd<'device'>>()

  /** @throws {@link OpenbarError} `ERR_PERMISSION`. */
  constructor() {
    const fd = openFd<'container'>(CONTAINER)
    const entered = (group: number, first: boolean) => {
      if (first) setNoIommu(fd, group)
    }
    this.#container = new GroupContainer(fd, entered, noIommuGroupPath)
  }

  get file(): Fd {
    return this.#container.fd
  }

  ranges(): undefined {
    return undefined
  }

  map(): never {
    throw new OpenbarError('ERR_NOT_SUPPORTED', {
      message: 'Nothing can be mapped at an IOVA: without an IOMMU there are only physical addresses.',
      hint: 'Use domain.allocate(size): its iova is the physical address.',
      context: { what: 'mapping without an IOMMU' },
    })
  }

  /** There is nothing to take away from a device: it has to be at rest. */
  unmap(_start: number, size: number): number {
    for (const [address, fd] of this.#devices) this.#assertAtRest(address, fd)
    return size
  }

  attach(device: Attachable): BackendAttachment {
    assertUntranslated(device)
    const inner = this.#container.attach(device)
    this.#devices.set(device.address, inner.fd)
    return {
      ...inner,
      assertAtRest: () => this.#assertAtRest(device.address, inner.fd),
      detach: () => {
        this.#devices.delete(device.address)
        inner.detach()
      },
    }
  }

  replaceable(): boolean {
    return false
  }

  replace(): never {
    return refuseReplace(this.name)
  }

  dirtyTracking(): never {
    return refuseDirtyTracking(this.name)
  }

  close(): void {
    this.#container.close()
  }

  #assertAtRest(address: string, fd: Fd<'device'>): void {
    const command = readCommand(fd, address)
    if (command === undefined || command === GONE || (command & BUS_MASTER) === 0) return
    throw new OpenbarError('ERR_DOMAIN_STATE', {
      message: `${address} is bus master: without an IOMMU it could go on writing to memory that is given back.`,
      hint: 'Switch bus mastering off first: device.config.command.busMasterEnable = false.',
      context: { state: 'bus master' },
    })
  }
}

/** The command register; `undefined` when the device cannot be asked any more, which means that it is gone. */
function readCommand(fd: Fd<'device'>, address: string): number | undefined {
  const what = `${address}, config space`
  const word = new Uint16Array(1)
  try {
    const { offset } = queryInfo(fd, VFIO_DEVICE_GET_REGION_INFO, vfioRegionInfo, what, (info) => {
      info.index = VFIO_PCI_CONFIG_REGION_INDEX
    })
    preadExactly(fd, word, Number(offset) + COMMAND, what)
  } catch {
    return undefined
  }
  return word[0]
}

function setNoIommu(container: Fd<'container'>, group: number): void {
  const result = tryIoctl(container, VFIO_SET_IOMMU, VFIO_NOIOMMU_IOMMU)
  if (result >= 0) return
  const hint = `The kernel's no-IOMMU mode may have been switched off since the domain was opened: see ${NOIOMMU_SWITCH}.`
  throw syscallError('ioctl(VFIO_SET_IOMMU)', -result, noIommuGroupPath(group), hint)
}
