/** About how many lines `make` prints for a kernel with the lab's configuration: what progress is measured by. */
export const expectedBuildLines = 2340

const step = /^\s+(CC|LD|AR|AS|HOSTCC|LDS|GEN|UPD|MODPOST|OBJCOPY|BUILD)\s+(?:\[M\]\s+)?(\S+)/

/**
 * Reads a build's output and tells how far it is.
 *
 * @example
 * ```ts
 * const reader = buildProgress()
 * reader('  CC      kernel/fork.o') // { fraction: 0.0005, file: 'kernel/fork.o' }
 * ```
 */
export function buildProgress(expected = expectedBuildLines) {
  let lines = 0
  return (line: string): { readonly fraction: number; readonly file: string } | undefined => {
    const match = step.exec(line)
    if (match === null) return undefined
    lines++
    return { fraction: Math.min(0.99, lines / expected), file: match[2]! }
  }
}
