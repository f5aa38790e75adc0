const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
const cleanups = new Set<() => void>()

function cleanAll(): void {
  for (const cleanup of [...cleanups]) cleanup()
  cleanups.clear()
}

function onSignal(signal: NodeJS.Signals): void {
  cleanAll()
  unhook()
  // With nobody else to decide what the signal means, it means what it always does: the end of this process.
  if (process.listenerCount(signal) === 0) process.kill(process.pid, signal)
}

function hook(): void {
  process.on('exit', cleanAll)
  for (const signal of signals) process.on(signal, onSignal)
}

function unhook(): void {
  process.off('exit', cleanAll)
  for (const signal of signals) process.off(signal, onSignal)
}

/**
 * Has a function called when this process ends or is told to. Returns how to take that back. Nothing is hooked while there
 * is nothing to clean, so that a program's own treatment of signals is untouched outside a lab's life.
 */
export function onProcessEnd(cleanup: () => void): () => void {
  if (cleanups.size === 0) hook()
  cleanups.add(cleanup)
  return () => {
    if (cleanups.delete(cleanup) && cleanups.size === 0) unhook()
  }
}
