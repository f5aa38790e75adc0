import { clearLine, cursorTo } from 'node:readline'

/** Where long steps tell what they do. */
export interface Progress {
  /** A new step begins. `roughly` says how long it takes, for a person: "5 to 8 minutes on two cores". */
  step(what: string, roughly?: string): void
  /** How far the step is: a fraction from 0 to 1 when it is known, and a word on what is being done now. */
  update(fraction: number | undefined, detail?: string): void
  /** The step is done. */
  done(note?: string): void
  /** A line of its own. */
  note(line: string): void
}

/** Says nothing: what a library call uses by default. */
export const silent: Progress = { step() {}, update() {}, done() {}, note() {} }

const logEveryMs = 20_000

/** Seconds as a person writes them: `42 s`, `3 min 05 s`. */
export function formatSeconds(seconds: number): string {
  const whole = Math.round(seconds)
  return whole < 60 ? `${whole} s` : `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, '0')} s`
}

/**
 * Progress on a stream, stderr by default: a line that redraws itself on a terminal, a line every 20 seconds in a log.
 *
 * @example
 * ```ts
 * await ensureKernel('iommufd', { progress: streamProgress() })
 * ```
 */
export function streamProgress(stream: NodeJS.WriteStream = process.stderr): Progress {
  const live = stream.isTTY === true
  const dim = (text: string) => (live && process.env['NO_COLOR'] === undefined ? `\x1b[2m${text}\x1b[22m` : text)
  let started = 0
  let loggedAt = 0
  let current = ''
  const elapsed = () => formatSeconds((performance.now() - started) / 1000)
  const redraw = (text: string) => {
    clearLine(stream, 0)
    cursorTo(stream, 0)
    stream.write(text.slice(0, Math.max(20, (stream.columns ?? 80) - 1)))
  }
  const clear = () => {
    if (!live) return
    clearLine(stream, 0)
    cursorTo(stream, 0)
  }
  return {
    step(what, roughly) {
      clear()
      current = what
      started = performance.now()
      loggedAt = started
      stream.write(`${what}${roughly === undefined ? '' : dim(` (${roughly})`)}${live ? '\n' : ' ...\n'}`)
    },
    update(fraction, detail) {
      const percent = fraction === undefined ? '' : `${Math.min(99, Math.floor(fraction * 100))} %, `
      const text = `  ${percent}${elapsed()}${detail === undefined ? '' : `, ${detail}`}`
      if (live) return redraw(text)
      if (performance.now() - loggedAt < logEveryMs) return
      loggedAt = performance.now()
      stream.write(`${current}:${text}\n`)
    },
    done(note) {
      clear()
      stream.write(`  done in ${elapsed()}${note === undefined ? '' : `: ${note}`}\n`)
    },
    note(line) {
      clear()
      stream.write(`${line}\n`)
    },
  }
}
