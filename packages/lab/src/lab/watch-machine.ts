import { LabError } from '../lab-error.ts'
import type { QemuProcess } from '../qemu/qemu-process.ts'

/** Waits for something that a machine does, unless it dies, takes too long or is told to stop. */
export async function watchMachine<T>(
  machine: QemuProcess,
  doing: string,
  timeoutMs: number | undefined,
  signal: AbortSignal | undefined,
  work: () => Promise<T>,
): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  let onAbort: () => void = () => {}
  const ends = [
    work(),
    machine.ended.then(() => {
      if (signal?.aborted === true) throw abortError(signal)
      throw machine.deathError(doing)
    }),
    new Promise<never>((_, reject) => {
      onAbort = () => reject(abortError(signal!))
      if (signal?.aborted === true) onAbort()
      signal?.addEventListener('abort', onAbort)
      if (timeoutMs === undefined) return
      timer = setTimeout(() => {
        const message = `The guest took longer than ${timeoutMs / 1000} s while ${doing}`
        reject(new LabError('ERR_LAB_TIMEOUT', message, { console: machine.console.tail() }))
      }, timeoutMs)
    }),
  ]
  try {
    return await Promise.race(ends)
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', onAbort)
    // The losers of the race must not become unhandled rejections.
    for (const end of ends) end.catch(() => {})
  }
}

function abortError(signal: AbortSignal): LabError {
  return new LabError('ERR_LAB_ABORTED', 'The lab was told to stop', { cause: signal.reason })
}
