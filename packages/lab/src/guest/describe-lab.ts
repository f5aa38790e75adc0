import type { LabDescription } from '../lab/lab-description.ts'
import { LabError } from '../lab-error.ts'

/**
 * What machine this program runs in: its kernel, its IOMMU, its devices and where they are.
 *
 * Throws `ERR_LAB_UNSUPPORTED` outside a lab.
 *
 * @example
 * ```ts
 * const nic = describeLab().devices.find((device) => device.nic)
 * console.log(nic?.address) // 0000:00:02.0
 * ```
 */
export function describeLab(env: NodeJS.ProcessEnv = process.env): LabDescription {
  const text = env['OPENBAR_LAB_DESCRIPTION']
  if (text !== undefined) return JSON.parse(text) as LabDescription
  throw new LabError('ERR_LAB_UNSUPPORTED', 'This program does not run in a lab', {
    hint: 'Start it in one: openbar-lab run --nic e1000e -- node program.js',
  })
}
