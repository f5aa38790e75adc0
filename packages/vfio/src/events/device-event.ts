/**
 * The kernel asks for the device back: it is about to be unplugged, or somebody unbinds it from vfio-pci. Whoever asked waits
 * in the kernel until the device is closed.
 */
export interface ReleaseRequestEvent {
  /** What kind of event it is. */
  readonly type: 'release-request'
  /** Milliseconds until the device is closed by itself, unless the program closes it or takes it out of its domain before. */
  readonly timeLeft: number
}

/**
 * The device, or the way to it, reported an error that it has not corrected (PCI Express AER). What it does from now on is uncertain:
 * reset it, or close it.
 *
 * @see linux/vfio.h, `VFIO_PCI_ERR_IRQ_INDEX`; PCI Express Base 5.0, 6.2 (error signalling)
 */
export interface DeviceErrorEvent {
  /** What kind of event it is. */
  readonly type: 'error'
  /** Milliseconds until the device is closed by itself, unless the program resets it, closes it or dismisses the error before. */
  readonly timeLeft: number
  /** Says that the program has seen to it, and goes on with the device as it is. */
  dismiss(): void
}

/** What the kernel tells of a device. */
export type DeviceEvent = ReleaseRequestEvent | DeviceErrorEvent
