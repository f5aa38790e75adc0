import { invalidArgument, OpenbarError } from '@openbar/linux/errors'

/**
 * The error for an access that is not inside its region or not aligned.
 *
 * @param offset - Byte offset of the access.
 * @param width - Bytes of the access.
 * @param size - Bytes of the region.
 * @param region - What the region is, as it should read at the start of the message.
 *
 * @example
 * ```ts
 * if (offset % 4 !== 0 || offset > size - 4) throw accessError(offset, 4, size)
 * ```
 */
export function accessError(offset: number, width: number, size: number, region?: string): OpenbarError {
  if (!Number.isInteger(offset)) return invalidArgument('offset', offset, 'a whole number of bytes')
  const access = `${width}-byte access at ${hex(offset)}`
  const what = region === undefined ? `A ${access}` : `${region}: a ${access}`
  if (offset < 0 || offset + width > size) {
    return new OpenbarError('ERR_OUT_OF_BOUNDS', {
      message: `${what} is outside the region, which has ${hex(size)} bytes.`,
      context: { offset, width, size },
    })
  }
  return new OpenbarError('ERR_MISALIGNED', {
    message: `${what} is not aligned to ${width} bytes.`,
    hint: 'Registers are reached only at multiples of their width.',
    context: { offset, width },
  })
}

function hex(value: number): string {
  return value < 0 ? `-0x${(-value).toString(16)}` : `0x${value.toString(16)}`
}
