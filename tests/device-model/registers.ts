import { defineRegisters } from '@openbar/pci'

/** Registers of both NICs. */
export const registers = defineRegisters({
  STATUS: {
    offset: 0x0008,
    access: 'ro',
    description: 'Device Status',
    fields: { LU: { bit: 1, description: 'Link up' } },
  },
  MTA: { offset: 0x5200, count: 128, access: 'rw', description: 'Multicast Table Array' },
})
