import type { RegisterAccess } from '../access/register-access.ts'

const OFFSET = 0x04

/**
 * The command register, live: each property reads the device, and setting one reads, changes and writes 16 bits.
 *
 * 16 and no more, as the status register is in the same 32 bits and its error bits clear when ones are written back.
 *
 * Source: PCI Local Bus 3.0 §6.2.2; PCI Express Base 5.0 §7.5.1.1.3.
 *
 * @example
 * ```ts
 * config.command.busMasterEnable = true
 * ```
 */
export class CommandRegister {
  readonly #access: RegisterAccess

  constructor(access: RegisterAccess) {
    this.#access = access
  }

  /** The whole register. */
  get value(): number {
    return this.#access.read16(OFFSET)
  }
  set value(value: number) {
    this.#access.write16(OFFSET, value)
  }

  /** Whether the function answers to its ports. */
  get ioSpaceEnable(): boolean {
    return this.#get(0)
  }
  set ioSpaceEnable(on: boolean) {
    this.#set(0, on)
  }

  /** Whether the function answers to its memory BARs. */
  get memorySpaceEnable(): boolean {
    return this.#get(1)
  }
  set memorySpaceEnable(on: boolean) {
    this.#set(1, on)
  }

  /** Whether the function may start transactions: DMA, MSI and MSI-X. */
  get busMasterEnable(): boolean {
    return this.#get(2)
  }
  set busMasterEnable(on: boolean) {
    this.#set(2, on)
  }

  /** Whether parity errors (poisoned packets on PCI Express) are reported in the status register. */
  get parityErrorResponse(): boolean {
    return this.#get(6)
  }
  set parityErrorResponse(on: boolean) {
    this.#set(6, on)
  }

  /** Whether fatal and non-fatal errors are reported to the system. */
  get serrEnable(): boolean {
    return this.#get(8)
  }
  set serrEnable(on: boolean) {
    this.#set(8, on)
  }

  /** Whether the function is kept from asserting INTx. */
  get interruptDisable(): boolean {
    return this.#get(10)
  }
  set interruptDisable(on: boolean) {
    this.#set(10, on)
  }

  #get(bit: number): boolean {
    return (this.value & (1 << bit)) !== 0
  }

  #set(bit: number, on: boolean): void {
    this.value = on ? this.value | (1 << bit) : this.value & ~(1 << bit)
  }
}
