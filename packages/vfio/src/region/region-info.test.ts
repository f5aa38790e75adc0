import { describe, expect, it } from 'vitest'
import { decodeCapability } from './region-info.ts'

/** A capability as the kernel lays it out: a header of 8 bytes, then words of 32 bits. */
function capability(id: number, version: number, words: readonly number[]) {
  const view = new DataView(new ArrayBuffer(8 + words.length * 4))
  view.setUint16(0, id, true)
  view.setUint16(2, version, true)
  for (const [index, word] of words.entries()) view.setUint32(8 + index * 4, word, true)
  return { id, version, view }
}

describe('decodeCapability', () => {
  it('reads sparse areas, without the empty ones', () => {
    const words = [3, 0, 0x1000, 0, 0x2000, 0, 0x5000, 0, 0, 0, 0x8000, 1, 0x1000, 0]
    expect(decodeCapability(capability(1, 1, words))).toEqual({
      kind: 'sparseMmap',
      areas: [
        { offset: 0x1000, size: 0x2000 },
        { offset: 0x1_0000_8000, size: 0x1000 },
      ],
    })
  })

  it('reads no more areas than there are bytes', () => {
    expect(decodeCapability(capability(1, 1, [1000, 0, 0x1000, 0, 0x1000, 0]))).toMatchObject({
      areas: [{ offset: 0x1000 }],
    })
    expect(decodeCapability(capability(1, 1, []))).toEqual({ kind: 'sparseMmap', areas: [] })
  })

  it("reads the type of a region of the device's own", () => {
    expect(decodeCapability(capability(2, 1, [0x8000_8086, 1]))).toEqual({
      kind: 'type',
      type: 0x8000_8086,
      subtype: 1,
    })
  })

  it('knows that the MSI-X table may be mapped, and keeps what it does not know', () => {
    expect(decodeCapability(capability(3, 1, []))).toEqual({ kind: 'msixMappable' })
    expect(decodeCapability(capability(9, 2, [7]))).toEqual({
      kind: 'unknown',
      id: 9,
      version: 2,
      bytes: new Uint8Array([7, 0, 0, 0]),
    })
    expect(decodeCapability(capability(2, 1, []))).toMatchObject({ kind: 'unknown', id: 2 })
  })
})
