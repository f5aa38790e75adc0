/** The code does something else than the model. */
export class Deviation extends Error {
  override readonly name = 'Deviation'
}

/** Compares what is with what the model says. */
export function assertSame(what: string, actual: unknown, due: unknown): void {
  if (Object.is(actual, due)) return
  throw new Deviation(`${what} is ${show(actual)}, where the model has ${show(due)}`)
}

function show(value: unknown): string {
  return typeof value === 'number' ? `0x${value.toString(16)}` : String(value)
}
