const REGISTERS = 100
const MTA = 0x5200

/**
 * Source of `sites`: two functions with 200 accesses, each to one register and in a place of its own, by the bare array and by
 * bound registers. The first 64 registers are those of one table, the rest of another, from its start.
 */
export function manySites(): string {
  const indices = Array.from({ length: REGISTERS }, (_, index) => index)
  const word = (index: number): string => `words[${(MTA >> 2) + (index % 64)}]`
  const bare = indices.map((index) => `${word(index)} = ${word(index)} ^ round`)
  const names = indices.map((index) => `r${index}`)
  const bound = names.map((name) => `${name}.write(${name}.read() ^ round)`)
  // A round is one access of each kind to every register.
  const loop = (lines: readonly string[]) =>
    `for (let round = 0; round < rounds; round += ${REGISTERS}) {\n${lines.join('\n')}\n}\nreturn 0`
  return `const sites = {
bare(words, rounds) { ${loop(bare)} },
bound([${names.join(', ')}], rounds) { ${loop(bound)} },
}`
}
