import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'

/** Somebody else's wish that a device be unbound, which waits in the kernel until the device is closed. */
export interface Unbind extends AsyncDisposable {
  /** Whether the kernel has come back from it. */
  readonly done: boolean
  /** Comes when the kernel has. */
  readonly ended: Promise<unknown>
}

/** Unbinds a device from vfio-pci, as `echo ADDRESS > …/unbind` does, in a process of its own. */
export function startUnbind(address: string): Unbind {
  const child: ChildProcess = spawn('sh', ['-c', `echo ${address} > /sys/bus/pci/drivers/vfio-pci/unbind`])
  const ended = once(child, 'exit')
  return {
    get done() {
      return child.exitCode !== null
    },
    ended,
    [Symbol.asyncDispose]: async () => {
      await ended
    },
  }
}
