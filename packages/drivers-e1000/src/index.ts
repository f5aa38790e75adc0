export { E1000, type E1000Options } from './e1000.ts'
export type { LinkState } from './hardware/link.ts'
export { e1000Registers } from './hardware/registers.ts'
export type { Statistics } from './hardware/statistics.ts'
