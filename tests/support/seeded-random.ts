/** Numbers from 0 to 1 that a seed determines: a 32-bit generator of the xorshift family (Marsaglia, 2003). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0 || 1
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) / 2 ** 32
  }
}
