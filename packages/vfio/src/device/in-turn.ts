const turns = new Map<string, Promise<unknown>>()

/**
 * Does one thing at a time with a device: binding, opening and giving back must not overtake each other. A driver that is
 * told to let go of a device that was just opened would wait in the kernel until it is closed.
 */
export function inTurn<Result>(address: string, work: () => Promise<Result>): Promise<Result> {
  const before = turns.get(address) ?? Promise.resolve()
  const turn = before.then(work)
  // The next in the queue goes on whether this one failed or not; its failure is the caller's to hear.
  const settled = turn.then(
    () => {},
    () => {},
  )
  turns.set(address, settled)
  void settled.then(() => {
    if (turns.get(address) === settled) turns.delete(address)
  })
  return turn
}
