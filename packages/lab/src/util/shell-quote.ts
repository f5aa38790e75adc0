/**
 * Words as a POSIX shell reads them back unchanged.
 *
 * @example
 * ```ts
 * shellQuote(['echo', "it's"]) // echo 'it'\''s'
 * ```
 */
export function shellQuote(words: readonly string[]): string {
  return words.map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`)).join(' ')
}
