import { type ErrorCode, isOpenbarError, type OpenbarError } from '@openbar/linux'

/** What a call throws, which has to be an Openbar error of the given code. */
export async function errorOf<Code extends ErrorCode>(code: Code, call: () => unknown): Promise<OpenbarError<Code>> {
  try {
    await call()
  } catch (error) {
    if (isOpenbarError(error, code)) return error
    throw error
  }
  throw new Error(`Nothing was thrown, where ${code} was due.`)
}
