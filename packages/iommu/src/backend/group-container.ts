import { closeFd, type Fd } from '@openbar/linux'
import type { Attachable } from '../attachable.ts'
import { GroupHandle } from '../groups/group-handle.ts'
import type { GivenDevice } from '../hand-over/given-device.ts'
import { notInContainerError, tiedElsewhereError } from '../hand-over/given-errors.ts'
import type { BackendAttachment } from './backend.ts'
import { refusePageTable } from './refusals.ts'

/** A group in the container, and how many of its devices are open. */
interface Member {
  readonly group: GroupHandle
  devices: number
}

/** What happens when a group is set, before its devices are opened. What it throws takes the group out again. */
export type GroupEntered = (group: number, first: boolean) => void

/**
 * A VFIO container, or an iommufd in the place of one, and the groups that are set in it.
 *
 * @see linux/vfio.h, "VFIO Group / container"; Documentation/driver-api/vfio.rst
 */
export class GroupContainer {
  readonly fd: Fd<'container'>
  readonly #entered: GroupEntered
  readonly #groupPath: (group: number) => string
  /** What the file of a device that was handed over has to be tied to. */
  readonly #home: object
  readonly #members = new Map<number, Member>()

  constructor(
    fd: Fd<'container'>,
    entered: GroupEntered,
    groupPath: (group: number) => string = (group) => `/dev/vfio/${group}`,
    home: object = {},
  ) {
    this.#home = home
    this.fd = fd
    this.#entered = entered
    this.#groupPath = groupPath
  }

  /** Whether no group is set in it. */
  get empty(): boolean {
    return this.#members.size === 0
  }

  /** Opens a device, through its group, which is set first where it is not yet. */
  attach(device: Attachable): BackendAttachment {
    const { given } = device
    if (given !== undefined) return this.#attachGiven(device, given)
    const member = this.#members.get(device.group) ?? this.#enter(device)
    let fd: Fd<'device'>
    try {
      fd = member.group.openDevice(device)
    } catch (error) {
      this.#leaveWhenEmpty(member)
      throw error
    }
    member.devices += 1
    return {
      fd,
      deviceId: undefined,
      assertAtRest: () => {},
      usePageTable: () => refusePageTable(),
      detach: () => {
        // The kernel refuses to take a group out of its container while a device fd of it is open.
        closeFd(fd)
        member.devices -= 1
        this.#leaveWhenEmpty(member)
      },
    }
  }

  /** A device that was handed over stays in the container, whose group is somebody else's. */
  #attachGiven(device: Attachable, given: GivenDevice): BackendAttachment {
    if (given.home === undefined) throw notInContainerError(device, 'a container')
    if (given.home !== this.#home) throw tiedElsewhereError(device)
    return {
      fd: given.fd,
      deviceId: undefined,
      assertAtRest: () => {},
      usePageTable: () => refusePageTable(),
      detach: () => {},
    }
  }

  close(): void {
    closeFd(this.fd)
  }

  #enter(device: Attachable): Member {
    const member: Member = { group: GroupHandle.open(device, this.#groupPath(device.group)), devices: 0 }
    try {
      member.group.setContainer(this.fd)
    } catch (error) {
      member.group.close()
      throw error
    }
    const first = this.empty
    this.#members.set(device.group, member)
    try {
      this.#entered(device.group, first)
    } catch (error) {
      this.#leaveWhenEmpty(member)
      throw error
    }
    return member
  }

  #leaveWhenEmpty(member: Member): void {
    if (member.devices > 0) return
    this.#members.delete(member.group.id)
    try {
      member.group.unsetContainer()
    } finally {
      member.group.close()
    }
  }
}
