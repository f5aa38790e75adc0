import { OpenbarError } from '@openbar/linux'

/** The Openbar error that a call throws; fails when it throws none or something else. */
export function thrownBy(call: () => unknown): OpenbarError {
  try {
    call()
  } catch (error) {
    if (error instanceof OpenbarError) return error
    throw error
  }
  throw new Error('nothing was thrown')
}
