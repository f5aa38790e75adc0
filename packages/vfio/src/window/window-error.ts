import { invalidArgument, OpenbarError } from '@openbar/linux'

/** Why an access was refused: the window is gone, or the access is misaligned or out of bounds. */
export function windowError(what: string, closed: boolean, offset: number, width: number, size: number): OpenbarError {
  if (closed) {
    return new OpenbarError('ERR_CLOSED', {
      message: `${what}: this window was closed or taken away.`,
      hint: 'Map the region again: device.bar(n).map().',
      context: { what },
    })
  }
  if (!Number.isInteger(offset)) return invalidArgument('offset', offset, 'a whole number of bytes')
  if (offset >= 0 && offset + width <= size && offset % width !== 0) {
    return new OpenbarError('ERR_MISALIGNED', {
      message: `${what}: an access of ${width} bytes at offset ${formatOffset(offset)} is not aligned.`,
      hint: 'Registers are reached only at multiples of their width.',
      context: { offset, width },
    })
  }
  return new OpenbarError('ERR_OUT_OF_BOUNDS', {
    message: `${what}: an access of ${width} bytes at offset ${formatOffset(offset)} lies outside its ${size} bytes.`,
    context: { offset, width, size },
  })
}

function formatOffset(offset: number): string {
  return Number.isSafeInteger(offset) && offset >= 0 ? `0x${offset.toString(16)}` : String(offset)
}
