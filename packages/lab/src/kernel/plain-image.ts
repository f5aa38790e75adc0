import { execFileSync } from 'node:child_process'
import { findProgram } from '../util/find-program.ts'

const xzMagic = 0xfd377a58

/**
 * The compressed kernel inside a bzImage, by the header of the Linux boot protocol, or undefined when it has none. Without
 * the uncompressed size, which is appended to it.
 */
export function imagePayload(image: Buffer): Buffer | undefined {
  const headerMagic = 0x53726448
  // The payload's place is in the header since version 2.08 of the protocol.
  if (image.length < 0x250 || image.readUInt32LE(0x202) !== headerMagic || image.readUInt16LE(0x206) < 0x208)
    return undefined
  const setupSectors = image.readUInt8(0x1f1) || 4
  const start = (setupSectors + 1) * 512 + image.readUInt32LE(0x248)
  return image.subarray(start, start + image.readUInt32LE(0x24c) - 4)
}

/**
 * The kernel of a bzImage, ready to run. Under emulation a kernel takes seconds to unpack itself at each boot, which this
 * does once. QEMU can start such an image only if it was built with CONFIG_PVH.
 *
 * @returns undefined when it has to stay as it is.
 */
export function plainImage(image: Buffer, config: string): Buffer | undefined {
  const payload = imagePayload(image)
  const xz = findProgram('xz')
  if (!config.includes('\nCONFIG_PVH=y\n') || xz === undefined || payload?.readUInt32BE(0) !== xzMagic) return undefined
  return execFileSync(xz, ['--decompress', '--stdout', '--single-stream'], { input: payload, maxBuffer: 1 << 29 })
}
