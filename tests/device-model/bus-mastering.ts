import { readFileSync } from 'node:fs'

/** Whether a device may do DMA, as its config space says, whoever drives it. */
export function busMastering(address: string): boolean {
  const config = readFileSync(`/sys/bus/pci/devices/${address}/config`)
  return (config.readUInt16LE(4) & 4) !== 0
}
