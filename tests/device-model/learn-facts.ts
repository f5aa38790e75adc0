import { type BackendName, Domain } from '@openbar/iommu'
import { isOpenbarError } from '@openbar/linux'
import { Device } from '@openbar/vfio'
import { takeCensus } from './census.ts'
import { type NicFacts, SCRATCH } from './model/facts.ts'

const POWER_MANAGEMENT = 0x01
const PCI_EXPRESS = 0x10

/** Finds out what a device is and has. */
export async function learnFacts(backend: BackendName, address: string, model: string): Promise<NicFacts> {
  await using domain = await Domain.open({ backend })
  const before = takeCensus().eventfd
  await using device = await Device.open(address, { domain })
  const signals = takeCensus().eventfd - before
  const { config, interrupts, power } = device
  const capabilities = config.capabilities()
  const powerManagement = capabilities.findById(POWER_MANAGEMENT)
  const express = capabilities.findById(PCI_EXPRESS)
  const regions = Array.from({ length: 9 }, (_, index) => {
    const { size, readable, writable, mappableAreas } = device.region(index)
    return { size, readable, writable, mapped: readable && writable && mappableAreas.length > 0 }
  })
  const { states, lowPower } = power.support
  return {
    address,
    model,
    regions,
    resettable: device.resetMethods.function,
    d3hot: states.includes('D3hot'),
    lowPower,
    vectors: {
      intx: interrupts.info('intx').count,
      msi: interrupts.info('msi').count,
      msix: interrupts.info('msix').count,
    },
    resizable: interrupts.info('msix').resizable,
    signals,
    command: config.command.value,
    line: config.access.read8(0x3c),
    powerControl: powerManagement === undefined ? undefined : powerManagement.offset + 4,
    deviceControl: express === undefined ? undefined : express.offset + 8,
    eventWidths: [8, 16, 32, 64].filter((width) => writesByEvent(device, width as 32)),
    features: JSON.stringify(device.features),
  }
}

function writesByEvent(device: Device, width: 32): boolean {
  try {
    using _event = device.ioeventfd({ region: 0, offset: SCRATCH.offset, width, value: 0 })
    return true
  } catch (error) {
    if (isOpenbarError(error, 'ERR_REGION')) return false
    throw error
  }
}
