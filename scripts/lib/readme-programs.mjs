import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/**
 * @typedef {object} Program
 * @property {string} code
 * @property {number} line Of its first line, in the README.
 */

/**
 * The whole programs in a Markdown text: TypeScript blocks that import something. Other blocks are fragments, which show a
 * single call and stand in no context.
 *
 * @param {string} markdown
 * @returns {Program[]}
 */
export function extractPrograms(markdown) {
  /** @type {Program[]} */
  const programs = []
  for (const match of markdown.matchAll(/^```(?:ts|typescript)\b[^\n]*\n(.*?)^```$/gms)) {
    const code = match[1] ?? ''
    if (!/^import\s/m.test(code)) continue
    programs.push({ code, line: markdown.slice(0, match.index).split('\n').length + 1 })
  }
  return programs
}

/**
 * The programs in the README of a directory. It is an error to have none: a README's first duty is to show how to start.
 *
 * @param {string} directory
 */
export function readPrograms(directory) {
  const programs = extractPrograms(readFileSync(join(directory, 'README.md'), 'utf8'))
  if (programs.length === 0) throw new Error(`${directory}/README.md has no \`\`\`ts block with a whole program`)
  return programs
}
