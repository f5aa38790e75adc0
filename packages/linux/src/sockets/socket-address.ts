import { invalidArgument } from '../errors/invalid-argument.ts'

const AF_UNIX = 1
/** `sun_path` of `struct sockaddr_un`, with the zero that ends it. */
const PATH_BYTES = 108

/**
 * `struct sockaddr_un` for a path.
 *
 * @throws {@link OpenbarError} `ERR_INVALID_ARGUMENT` for a path that does not fit, which the kernel would cut short.
 * @see unix(7)
 */
export function socketAddress(path: string): Uint8Array {
  const bytes = new TextEncoder().encode(path)
  if (bytes.length === 0 || bytes.length >= PATH_BYTES || bytes.includes(0)) {
    throw invalidArgument('path', path, `a path of 1 to ${PATH_BYTES - 1} bytes`)
  }
  const address = new Uint8Array(2 + PATH_BYTES)
  new DataView(address.buffer).setUint16(0, AF_UNIX, true)
  address.set(bytes, 2)
  return address
}
