import { type BoundRegisters, defineRegisters } from '@openbar/vfio'

// Sections are those of the 8254x Software Developer's Manual (SDM) and of the 82574 datasheet (82574).

/** A statistics counter of 32 bits that a read sets to zero (SDM 13.7; 82574 10.2.7). */
const counter = (offset: number, description: string) => ({ offset, access: 'rc', description }) as const

/** The causes of interrupts: the same bits in ICR, ICS, IMS and IMC (SDM 13.4.17; 82574 10.2.4.1). */
const CAUSES = {
  TXDW: { bit: 0, description: 'Transmit descriptor written back' },
  TXQE: { bit: 1, description: 'Transmit queue empty' },
  LSC: { bit: 2, description: 'Link status change' },
  RXDMT0: { bit: 4, description: 'Receive descriptors minimum threshold reached' },
  RXO: { bit: 6, description: 'Receiver overrun' },
  RXT0: { bit: 7, description: 'Receiver timer: frames were received' },
  MDAC: { bit: 9, description: 'MDI/O access complete' },
  RXQ0: { bit: 20, description: 'Receive queue 0 (82574L)' },
  RXQ1: { bit: 21, description: 'Receive queue 1 (82574L)' },
  TXQ0: { bit: 22, description: 'Transmit queue 0 (82574L)' },
  TXQ1: { bit: 23, description: 'Transmit queue 1 (82574L)' },
  OTHER: { bit: 24, description: 'Other causes (82574L)' },
} as const

/**
 * The registers that this driver uses, in BAR 0.
 *
 * @see Intel PCI/PCI-X Family of Gigabit Ethernet Controllers Software Developer's Manual, chapter 13
 * @see Intel 82574 GbE Controller Family Datasheet, chapter 10
 *
 * @example
 * ```ts
 * for (const { name, value } of dumpRegisters(e1000Registers, device.bar(0).map())) console.log(name, value)
 * ```
 */
export const e1000Registers = defineRegisters({
  CTRL: {
    offset: 0x0000,
    access: 'rw',
    description: 'Device Control (SDM 13.4.1; 82574 10.2.2.1)',
    fields: {
      FD: { bit: 0, description: 'Full duplex' },
      LRST: { bit: 3, description: 'Link reset (fiber)' },
      ASDE: { bit: 5, description: 'Auto-speed detection enable' },
      SLU: { bit: 6, description: 'Set link up' },
      ILOS: { bit: 7, description: 'Invert loss of signal' },
      FRCSPD: { bit: 11, description: 'Force speed' },
      FRCDPLX: { bit: 12, description: 'Force duplex' },
      RST: { bit: 26, description: 'Device reset; clears itself' },
      VME: { bit: 30, description: 'VLAN mode enable' },
      PHY_RST: { bit: 31, description: 'PHY reset' },
    },
  },
  STATUS: {
    offset: 0x0008,
    access: 'ro',
    description: 'Device Status (SDM 13.4.2; 82574 10.2.2.2)',
    fields: {
      FD: { bit: 0, description: 'Full duplex' },
      LU: { bit: 1, description: 'Link up' },
      SPEED: { bits: [7, 6], description: 'Link speed', values: { '10': 0, '100': 1, '1000': 2 } },
    },
  },
  EERD: { offset: 0x0014, access: 'rw', description: 'EEPROM Read (SDM 13.4.4; 82574 10.2.2.4)' },
  CTRL_EXT: {
    offset: 0x0018,
    access: 'rw',
    description: 'Extended Device Control (SDM 13.4.6; 82574 10.2.2.5)',
    fields: {
      IAME: { bit: 27, description: 'Interrupt acknowledge auto-mask enable' },
      PBA: { bit: 31, description: 'MSI-X pending bits are cleared by the interrupt registers (82574L)' },
    },
  },
  MDIC: {
    offset: 0x0020,
    access: 'rw',
    description: 'MDI Control (SDM 13.4.8; 82574 10.2.2.7)',
    fields: {
      DATA: { bits: [15, 0], description: 'Data to or from the PHY' },
      REGISTER: { bits: [20, 16], description: "The PHY's register" },
      PHY: { bits: [25, 21], description: 'The address of the PHY: 1' },
      OP_WRITE: { bit: 26, description: 'Write' },
      OP_READ: { bit: 27, description: 'Read' },
      READY: { bit: 28, description: 'Done' },
    },
  },
  ICR: {
    offset: 0x00c0,
    access: 'rcw1c',
    description: 'Interrupt Cause Read (SDM 13.4.17; 82574 10.2.4.1)',
    fields: CAUSES,
  },
  ITR: { offset: 0x00c4, access: 'rw', description: 'Interrupt Throttling, in 256 ns (SDM 13.4.18; 82574 10.2.4.2)' },
  ICS: { offset: 0x00c8, access: 'wo', description: 'Interrupt Cause Set (SDM 13.4.19)', fields: CAUSES },
  IMS: { offset: 0x00d0, access: 'rw1s', description: 'Interrupt Mask Set/Read (SDM 13.4.20)', fields: CAUSES },
  IMC: { offset: 0x00d8, access: 'wo', description: 'Interrupt Mask Clear (SDM 13.4.21)', fields: CAUSES },
  EIAC: {
    offset: 0x00dc,
    access: 'rw',
    description: 'Interrupt Auto Clear: causes whose MSI-X message clears them (82574 10.2.4.7)',
    fields: CAUSES,
  },
  IVAR: {
    offset: 0x00e4,
    access: 'rw',
    description: 'Interrupt Vector Allocation (82574 10.2.4.9)',
    fields: {
      RXQ0: { bits: [2, 0], description: 'Vector of receive queue 0' },
      RXQ0_VALID: { bit: 3, description: 'Receive queue 0 has a vector' },
      RXQ1: { bits: [6, 4], description: 'Vector of receive queue 1' },
      RXQ1_VALID: { bit: 7, description: 'Receive queue 1 has a vector' },
      TXQ0: { bits: [10, 8], description: 'Vector of transmit queue 0' },
      TXQ0_VALID: { bit: 11, description: 'Transmit queue 0 has a vector' },
      TXQ1: { bits: [14, 12], description: 'Vector of transmit queue 1' },
      TXQ1_VALID: { bit: 15, description: 'Transmit queue 1 has a vector' },
      OTHER: { bits: [18, 16], description: 'Vector of the other causes' },
      OTHER_VALID: { bit: 19, description: 'The other causes have a vector' },
    },
  },
  RCTL: {
    offset: 0x0100,
    access: 'rw',
    description: 'Receive Control (SDM 13.4.22; 82574 10.2.5.1)',
    fields: {
      EN: { bit: 1, description: 'Receiver enable' },
      SBP: { bit: 2, description: 'Store bad packets' },
      UPE: { bit: 3, description: 'Unicast promiscuous' },
      MPE: { bit: 4, description: 'Multicast promiscuous' },
      LPE: { bit: 5, description: 'Long packets' },
      LBM: { bits: [7, 6], description: 'Loopback mode' },
      BAM: { bit: 15, description: 'Accept broadcasts' },
      BSIZE: { bits: [17, 16], description: 'Buffer size', values: { '2048': 0, '1024': 1, '512': 2, '256': 3 } },
      BSEX: { bit: 25, description: 'Buffer size times 16' },
      SECRC: { bit: 26, description: 'Strip the Ethernet CRC' },
    },
  },
  TCTL: {
    offset: 0x0400,
    access: 'rw',
    description: 'Transmit Control (SDM 13.4.33; 82574 10.2.6.1)',
    fields: {
      EN: { bit: 1, description: 'Transmitter enable' },
      PSP: { bit: 3, description: 'Pad short packets' },
      CT: { bits: [11, 4], description: 'Collision threshold' },
      COLD: { bits: [21, 12], description: 'Collision distance' },
      RTLC: { bit: 24, description: 'Retransmit on late collision' },
      MULR: { bit: 28, description: 'Multiple requests (82574L)' },
    },
  },
  TIPG: {
    offset: 0x0410,
    access: 'rw',
    description: 'Transmit Inter-Packet Gap (SDM 13.4.34; 82574 10.2.6.2)',
    fields: {
      IPGT: { bits: [9, 0], description: 'Back to back' },
      IPGR1: { bits: [19, 10], description: 'First part, after a receive' },
      IPGR2: { bits: [29, 20], description: 'The whole, after a receive' },
    },
  },
  RDBAL: { offset: 0x2800, access: 'rw', description: 'Receive Descriptor Base Low (SDM 13.4.25)' },
  RDBAH: { offset: 0x2804, access: 'rw', description: 'Receive Descriptor Base High (SDM 13.4.26)' },
  RDLEN: { offset: 0x2808, access: 'rw', description: 'Receive Descriptor Ring Length in bytes (SDM 13.4.27)' },
  RDH: { offset: 0x2810, access: 'rw', description: 'Receive Descriptor Head (SDM 13.4.28)' },
  RDT: { offset: 0x2818, access: 'rw', description: 'Receive Descriptor Tail (SDM 13.4.29)' },
  RDTR: { offset: 0x2820, access: 'rw', description: 'Receive Delay Timer, in 1.024 us (SDM 13.4.30)' },
  RADV: { offset: 0x282c, access: 'rw', description: 'Receive Absolute Delay Timer, in 1.024 us (SDM 13.4.31)' },
  TDBAL: { offset: 0x3800, access: 'rw', description: 'Transmit Descriptor Base Low (SDM 13.4.36)' },
  TDBAH: { offset: 0x3804, access: 'rw', description: 'Transmit Descriptor Base High (SDM 13.4.37)' },
  TDLEN: { offset: 0x3808, access: 'rw', description: 'Transmit Descriptor Ring Length in bytes (SDM 13.4.38)' },
  TDH: { offset: 0x3810, access: 'rw', description: 'Transmit Descriptor Head (SDM 13.4.39)' },
  TDT: { offset: 0x3818, access: 'rw', description: 'Transmit Descriptor Tail (SDM 13.4.40)' },
  TXDCTL: {
    offset: 0x3828,
    access: 'rw',
    description: 'Transmit Descriptor Control (SDM 13.4.42; 82574 10.2.6.9)',
    fields: {
      WTHRESH: { bits: [21, 16], description: 'Write-back threshold' },
      COUNT_DESC: { bit: 22, description: 'Must be 1 on the 82574L' },
      GRAN: { bit: 24, description: 'Thresholds count descriptors' },
    },
  },
  CRCERRS: counter(0x4000, 'CRC errors'),
  RXERRC: counter(0x400c, 'Receive errors'),
  MPC: counter(0x4010, 'Missed packets: no room in the receive FIFO'),
  GPRC: counter(0x4074, 'Good packets received'),
  BPRC: counter(0x4078, 'Broadcast packets received'),
  MPRC: counter(0x407c, 'Multicast packets received'),
  GPTC: counter(0x4080, 'Good packets transmitted'),
  GORCL: counter(0x4088, 'Good octets received, low'),
  GORCH: counter(0x408c, 'Good octets received, high'),
  GOTCL: counter(0x4090, 'Good octets transmitted, low'),
  GOTCH: counter(0x4094, 'Good octets transmitted, high'),
  RUC: counter(0x40a4, 'Undersized packets received'),
  ROC: counter(0x40ac, 'Oversized packets received'),
  MTA: { offset: 0x5200, count: 128, access: 'rw', description: 'Multicast Table Array (SDM 13.5.1)' },
  RAL: { offset: 0x5400, count: 16, stride: 8, access: 'rw', description: 'Receive Address Low (SDM 13.5.2)' },
  RAH: {
    offset: 0x5404,
    count: 16,
    stride: 8,
    access: 'rw',
    description: 'Receive Address High (SDM 13.5.3)',
    fields: {
      ADDRESS: { bits: [15, 0], description: 'The last two bytes' },
      AV: { bit: 31, description: 'Address valid' },
    },
  },
})

/** The registers of one NIC. */
export type E1000Registers = BoundRegisters<typeof e1000Registers>
