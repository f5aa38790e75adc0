import { assertUntranslated, isVfioDriver } from '@openbar/iommu'
import { isOpenbarError, OpenbarError } from '@openbar/linux'
import { type Binding, bindDriver, readFunction } from '@openbar/pci'
import { iommuPresent, noIommuError } from './no-iommu-error.ts'

/**
 * Takes a device from its driver and binds it to vfio-pci.
 *
 * @param withoutIommu - Whether it shall join a domain without an IOMMU: only such a device is bound then, and only others otherwise.
 * @returns How to give it back; `undefined` when a VFIO driver has it already.
 * @throws {@link OpenbarError} `ERR_NO_DEVICE`, `ERR_NO_IOMMU`, `ERR_NOT_SUPPORTED`, `ERR_DRIVER_BINDING`, `ERR_TIMEOUT`.
 */
export async function takeDevice(address: string, withoutIommu: boolean): Promise<Binding | undefined> {
  const { driver, iommuGroup } = readFunction(address)
  if (driver !== undefined && isVfioDriver(driver)) return undefined
  if (withoutIommu && iommuGroup !== undefined) assertUntranslated({ address, group: iommuGroup })
  if (!withoutIommu && iommuGroup === undefined && !iommuPresent()) throw noIommuError(address)
  try {
    return await bindDriver(address, 'vfio-pci')
  } catch (error) {
    // vfio-pci refuses a device without a group; behind some IOMMUs the group comes only with the driver.
    const refused = isOpenbarError(error, 'ERR_DRIVER_BINDING') && error.context.step === 'probe'
    if (refused && iommuGroup === undefined) throw noIommuError(address, error)
    throw error
  }
}

/**
 * Gives a device back that could not be opened.
 *
 * @throws The error that kept it from being opened; when giving it back fails too, one of the same code that says so.
 */
export async function giveBackAfter(
  error: unknown,
  binding: Pick<Binding, 'address' | 'previousDriver' | 'restore'>,
): Promise<never> {
  try {
    await binding.restore()
  } catch (failure) {
    const outcome = `${binding.address} could not be given back to ${binding.previousDriver ?? 'no driver'} either`
    const cause = new AggregateError([error, failure], outcome)
    if (!isOpenbarError(error)) throw cause
    const reason = failure instanceof Error ? failure.message : String(failure)
    throw new OpenbarError(error.code, {
      message: `${error.message} ${outcome}: ${reason}`,
      context: error.context,
      cause,
    })
  }
  throw error
}
