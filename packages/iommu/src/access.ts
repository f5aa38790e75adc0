import { invalidArgument } from '@openbar/linux'

/** What the device may do with the memory: read it, write it, or both. */
export type DmaAccess = 'read' | 'write' | 'read-write'

/** @throws {@link OpenbarError} `ERR_INVALID_ARGUMENT`. */
export function assertAccess(access: DmaAccess): void {
  if (access !== 'read' && access !== 'write' && access !== 'read-write') {
    throw invalidArgument('access', access, "'read', 'write' or 'read-write'")
  }
}

/** Whether the device may read the memory. */
export function deviceReads(access: DmaAccess): boolean {
  return access !== 'write'
}

/** Whether the device may write the memory. */
export function deviceWrites(access: DmaAccess): boolean {
  return access !== 'read'
}
