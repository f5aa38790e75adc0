/** One package's entry in an index: its fields by name. */
export type Stanza = ReadonlyMap<string, string>

/** Reads paragraphs of `Field: value` lines, as apt prints them. Continuation lines are joined. */
export function parseStanzas(text: string): readonly Stanza[] {
  const stanzas: Stanza[] = []
  for (const paragraph of text.split(/\n\s*\n/)) {
    const fields = new Map<string, string>()
    let last: string | undefined
    for (const line of paragraph.split('\n')) {
      const match = /^([\w-]+):\s*(.*)$/.exec(line)
      if (match !== null) {
        last = match[1]!
        fields.set(last, match[2]!)
      } else if (last !== undefined && /^\s/.test(line)) {
        fields.set(last, `${fields.get(last)}\n${line.trim()}`)
      }
    }
    if (fields.size > 0) stanzas.push(fields)
  }
  return stanzas
}
