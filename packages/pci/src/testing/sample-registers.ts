import { defineRegisters } from '../registers/define-registers.ts'

/** A small device with one register of every kind and width. */
export const sample = defineRegisters({
  CTRL: {
    offset: 0x00,
    access: 'rw',
    description: 'Control',
    fields: {
      FD: { bit: 0, description: 'Full duplex' },
      SPEED: { bits: [9, 8], description: 'Speed', values: { '10M': 0, '100M': 1, '1000M': 2 } },
      COUNT: { bits: [23, 16], description: 'A number' },
      ERROR: { bit: 24, access: 'rw1c', description: 'Something went wrong' },
      MODEL: { bit: 25, access: 'ro', description: 'Which model' },
      RST: { bit: 31, description: 'Reset' },
    },
  },
  STATUS: { offset: 0x04, access: 'ro', description: 'Status', fields: { LU: { bit: 1, description: 'Link up' } } },
  DOORBELL: {
    offset: 0x08,
    access: 'wo',
    description: 'Doorbell',
    fields: { QUEUE: { bits: [3, 0], description: 'Queue' } },
  },
  CAUSE: {
    offset: 0x0c,
    access: 'rw1c',
    description: 'Cause',
    fields: { TX: { bit: 0, description: 'Sent' }, RX: { bit: 7, description: 'Received' } },
  },
  MASK: { offset: 0x10, access: 'rw1s', description: 'Mask', fields: { RX: { bit: 7, description: 'Received' } } },
  ERRORS: { offset: 0x14, access: 'rc', description: 'Errors since the last read' },
  PENDING: {
    offset: 0x18,
    access: 'rcw1c',
    description: 'Pending',
    fields: { RX: { bit: 7, description: 'Received' } },
  },
  PORT: {
    offset: 0x1c,
    width: 8,
    access: 'rw',
    description: 'A byte',
    fields: { HIGH: { bits: [7, 4], description: 'Nibble' } },
  },
  TAG: { offset: 0x1e, width: 16, access: 'rw', description: 'A word' },
  RING: {
    offset: 0x20,
    width: 64,
    access: 'rw',
    description: 'Ring',
    fields: {
      BASE: { bits: [63, 12], description: 'Page' },
      KIND: { bits: [2, 1], description: 'Kind', values: { none: 0, both: 3 } },
      FAULT: { bit: 3, access: 'rw1c', description: 'Fault' },
      ENABLE: { bit: 0, description: 'Enable' },
    },
  },
  FILTER: {
    offset: 0x40,
    count: 4,
    stride: 8,
    access: 'rw',
    description: 'Filter',
    fields: { VALID: { bit: 31, description: 'Valid' } },
  },
})
