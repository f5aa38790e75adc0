import type { LabDescription } from './lab-description.ts'

/** What every command in the guest finds in its environment. */
export function guestEnvironment(description: LabDescription): Readonly<Record<string, string>> {
  return {
    HOME: '/run/home',
    USER: 'root',
    TERM: process.env['TERM'] ?? 'dumb',
    LANG: process.env['LANG'] ?? 'C.UTF-8',
    OPENBAR_LAB: '1',
    OPENBAR_LAB_OUT: '/run/openbar-lab/out',
    OPENBAR_LAB_DESCRIPTION: JSON.stringify(description),
  }
}
