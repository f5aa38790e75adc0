/**
 * Tells what is going on. Always on stderr: stdout belongs to the program that the user asked for.
 *
 * @param {string} text
 */
export function say(text) {
  process.stderr.write(`${text}\n`)
}
