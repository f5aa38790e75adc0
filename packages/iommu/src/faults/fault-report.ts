import type { DmaFault, FaultsLost } from './fault-event.ts'

/** What a line of the kernel's log says of faults, without the time, which its record has. */
export type FaultReport = Omit<DmaFault, 'at'> | Omit<FaultsLost, 'at'>

/** Reads a line of one driver's; `undefined` for any other. */
export type ReportParser = (message: string) => FaultReport | undefined
