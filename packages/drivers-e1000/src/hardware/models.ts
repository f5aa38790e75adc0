/** What differs between the controllers that one driver serves. */
export interface E1000Model {
  /** Intel's name. */
  readonly name: string
  /** PCI device id; the vendor is Intel, 0x8086. */
  readonly deviceId: number
  /** How EERD lays out its fields (SDM 13.4.4; 82574 10.2.2.4). */
  readonly eerd: { readonly addressShift: number; readonly done: number }
  /** Whether it is of the 82574L's kind: MSI-X routed by IVAR, multiple transmit requests. */
  readonly pciExpress: boolean
}

const EERD_8254X = { addressShift: 8, done: 1 << 4 }
const EERD_82574 = { addressShift: 2, done: 1 << 1 }

/** PCI vendor id of Intel. */
export const INTEL = 0x8086

/** The controllers that this driver serves. */
export const models: readonly E1000Model[] = [
  { name: '82540EM', deviceId: 0x100e, eerd: EERD_8254X, pciExpress: false },
  { name: '82545EM', deviceId: 0x100f, eerd: EERD_8254X, pciExpress: false },
  { name: '82574L', deviceId: 0x10d3, eerd: EERD_82574, pciExpress: true },
]

/**
 * The model with the given ids, if this driver serves it.
 *
 * @example
 * ```ts
 * findModel(0x8086, 0x10d3)?.name // '82574L'
 * ```
 */
export function findModel(vendorId: number, deviceId: number): E1000Model | undefined {
  return vendorId === INTEL ? models.find((model) => model.deviceId === deviceId) : undefined
}
