/** Ends a script with an exit code and, unless the step that failed has said it already, a sentence that says why. */
export class Stop extends Error {
  /**
   * @param {number} exitCode
   * @param {string} [message]
   */
  constructor(exitCode, message = '') {
    super(message)
    this.exitCode = exitCode
  }
}

/**
 * Runs a script's main function and sets the exit code: a {@link Stop} is an end that was foreseen, anything else a bug.
 *
 * @param {() => Promise<number | undefined | void>} main Resolves to the exit code; to nothing for 0.
 */
export async function runMain(main) {
  try {
    process.exitCode = (await main()) ?? 0
  } catch (error) {
    if (!(error instanceof Stop)) throw error
    if (error.message !== '') process.stderr.write(`${error.message}\n`)
    process.exitCode = error.exitCode
  }
}
