/** A device that this program has open, as a reset that hits several devices has to know it. */
export interface OpenDevice {
  /**
   * Gets the device ready for being reset: views taken away, interrupts off, DMA stopped.
   *
   * @param reason - What happens to it, for the errors of what it took away: `it was reset`.
   * @returns Puts the command register back as it was before; called once the reset is done.
   */
  beforeReset(reason: string): () => void
}

const open = new Map<string, Set<OpenDevice>>()

/** Notes that a device can be reached in this thread, until what it answers is called. */
export function noteOpenDevice(address: string, device: OpenDevice): () => void {
  const devices = open.get(address) ?? new Set()
  open.set(address, devices.add(device))
  return () => {
    devices.delete(device)
    if (devices.size === 0 && open.get(address) === devices) open.delete(address)
  }
}

/** The open devices at an address: one as a rule, more when it was opened more than once. */
export function openDevicesAt(address: string): readonly OpenDevice[] {
  return [...(open.get(address) ?? [])]
}
