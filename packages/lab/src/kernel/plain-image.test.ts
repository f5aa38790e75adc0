import { expect, test } from 'vitest'
import { imagePayload, plainImage } from './plain-image.ts'

function bzImage(payload: Buffer): Buffer {
  const image = Buffer.alloc(512 * 3 + 16 + payload.length + 4)
  image.writeUInt8(2, 0x1f1)
  image.write('HdrS', 0x202)
  image.writeUInt16LE(0x20f, 0x206)
  image.writeUInt32LE(16, 0x248)
  image.writeUInt32LE(payload.length + 4, 0x24c)
  payload.copy(image, 512 * 3 + 16)
  return image
}

test('the payload is found by the header', () => {
  expect(imagePayload(bzImage(Buffer.from('compressed')))?.toString()).toBe('compressed')
  expect(imagePayload(Buffer.alloc(4096))).toBeUndefined()
})

test('an image that QEMU could not start, or in another compression, stays as it is', () => {
  expect(plainImage(bzImage(Buffer.from('\xfd7zXZ\0', 'latin1')), '\n# CONFIG_PVH is not set\n')).toBeUndefined()
  expect(plainImage(bzImage(Buffer.from('\x1f\x8b\x08\0\0\0')), '\nCONFIG_PVH=y\n')).toBeUndefined()
})
