import { FaultReader } from '@openbar/iommu'
import { isOpenbarError } from '@openbar/linux'
import { toJson } from './to-json.ts'

/** Where the parent process left the descriptor of the kernel's log. */
const FD = 3

/** A program without rights, that a privileged one hands the kernel's log: says what it may and what it sees, a line each. */
function say(what: unknown): void {
  console.log(toJson(what))
}

try {
  FaultReader.open().close()
  say({ opened: true })
} catch (error) {
  if (!isOpenbarError(error)) throw error
  say({ opened: false, code: error.code, message: error.message })
}

using faults = FaultReader.fromFd(FD)
const watch = faults.events({ signal: AbortSignal.timeout(30_000) })
say({ uid: process.getuid?.(), watching: true })
for await (const event of watch) {
  say(event)
  if (event.kind === 'fault') break
}
