import { OpenbarError } from '@openbar/linux/errors'

/**
 * Waits for something that cannot be stopped, and not for longer than the timeout.
 *
 * @param waitedFor - What the error says.
 * @param milliseconds - How long.
 * @throws `ERR_TIMEOUT` when it takes longer. What was begun goes on; its late failure is dropped.
 */
export async function withinTimeout<Result>(
  work: Promise<Result>,
  milliseconds: number,
  waitedFor: string,
  hint: string,
): Promise<Result> {
  const { promise: expired, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => {
    reject(
      new OpenbarError('ERR_TIMEOUT', {
        message: `Waited ${milliseconds} ms for ${waitedFor}.`,
        hint,
        context: { waitedFor, milliseconds },
      }),
    )
  }, milliseconds)
  try {
    // race() has handlers on both: the loser's failure is nobody's unhandled rejection.
    return await Promise.race([work, expired])
  } finally {
    clearTimeout(timer)
  }
}
