import { isOpenbarError, waitUntil } from '@openbar/linux'
import { type Binding, currentDriver } from '@openbar/pci'

/** How long the kernel may take to unbind or remove a device whose last user has closed it. */
const SETTLING_MS = 5000

/** What giving back needs to know of a binding. */
export type Returnable = Pick<Binding, 'address' | 'driver' | 'previousDriver' | 'restore'>

/**
 * Gives a device back to the driver that it was taken from, if it is still there.
 *
 * @param requested - Whether the kernel had asked for it, because somebody unplugs it or unbinds it: that is let to end first, and a
 *   driver that it was bound to by then is left in peace.
 */
export async function giveBack(
  binding: Returnable,
  requested: boolean,
  driverOf: (address: Returnable['address']) => string | undefined = currentDriver,
): Promise<void> {
  const driverNow = (): string | undefined | 'gone' => {
    try {
      return driverOf(binding.address)
    } catch (error) {
      if (isOpenbarError(error, 'ERR_NO_DEVICE')) return 'gone'
      throw error
    }
  }
  if (requested) {
    const settled = () => driverNow() !== binding.driver
    await waitUntil(settled, { timeout: SETTLING_MS, waitedFor: `${binding.address} to be let go` }).catch(() => {})
    if (![binding.driver, binding.previousDriver, undefined].includes(driverNow())) return
  }
  if (driverNow() === 'gone') return
  try {
    await binding.restore()
  } catch (error) {
    // It was removed meanwhile.
    if (driverNow() !== 'gone') throw error
  }
}
