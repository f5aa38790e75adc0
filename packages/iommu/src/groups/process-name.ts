import { readLinkName, readText } from '@openbar/linux'

/** What Node.js calls its main thread, and with it the process: 24 and later, in two spellings. */
const NODE_MAIN_THREAD = /^(node-)?MainThread$/

/**
 * The name of a process, as a message shows it: what the process calls itself, or its program where that tells more.
 *
 * That is so for Node.js, which calls each of its processes after their main thread, and for names that the kernel has
 * cut to 15 bytes. A process chooses its name freely: what a terminal would take for a command is replaced.
 *
 * @param proc - Where proc is mounted.
 * @returns The name, or `undefined` when the process has ended.
 * @see proc(5): `/proc/<pid>/comm`, `/proc/<pid>/exe`
 */
export function processName(proc: string, pid: number): string | undefined {
  const command = commandOf(proc, pid)
  if (command === undefined) return undefined
  const program = programOf(proc, pid)
  const better = program !== undefined && (NODE_MAIN_THREAD.test(command) || program.startsWith(command))
  return (better ? program : command).replaceAll(/\p{C}/gu, '?')
}

function commandOf(proc: string, pid: number): string | undefined {
  try {
    return readText(`${proc}/${pid}/comm`)
  } catch {
    return '?'
  }
}

/** The file name of the program that a process runs, also when the file was deleted since, as by an upgrade. */
function programOf(proc: string, pid: number): string | undefined {
  try {
    return readLinkName(`${proc}/${pid}/exe`)?.replace(/ \(deleted\)$/, '')
  } catch {
    // Ended meanwhile, or not ours to look into: its own name has to do.
    return undefined
  }
}
