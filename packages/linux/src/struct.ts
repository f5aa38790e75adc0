import { invalidArgument } from './errors/invalid-argument.ts'
import { fixedMemory } from './memory/fixed-memory.ts'

/** The integer types that the kernel's structs are made of; all little-endian on x86-64. */
export type FieldType = 'u8' | 'u16' | 'u32' | 's32' | 'u64'

/** A field's type and its offset in bytes. */
export type FieldLayout = readonly [type: FieldType, offset: number]

type FieldValue<Type extends FieldType> = Type extends 'u64' ? bigint : number

type FieldProperties<Fields extends Record<string, FieldLayout>> = {
  -readonly [Name in keyof Fields]: FieldValue<Fields[Name][0]>
}

/** A struct in memory: its bytes, and a property for each field. */
export type StructView<Fields extends Record<string, FieldLayout> = Record<never, FieldLayout>> =
  FieldProperties<Fields> & {
    /** The struct, and any variable part after it, as the kernel sees it. */
    readonly bytes: Uint8Array
    /** The same memory for reading and writing at offsets, such as a variable part's. */
    readonly view: DataView
  }

/** A struct at an address that never changes, for an ioctl that is made over and over: see {@link Struct.fixed}. */
export type FixedStruct<Fields extends Record<string, FieldLayout> = Record<never, FieldLayout>> =
  StructView<Fields> & {
    /** Where its first byte stands in this process. */
    readonly address: number
    /** The same memory as words of 32 bits: a field's index among them is a quarter of its offset. */
    readonly words: Uint32Array
  }

/** A kernel struct's name, size and fields, and a way to make one. */
export interface Struct<Fields extends Record<string, FieldLayout>> {
  readonly name: string
  /** Size of the fixed part in bytes. */
  readonly size: number
  readonly fields: Fields
  /**
   * Makes one, all zero.
   *
   * @param extra - Bytes to add behind the fixed part, for a trailing array or capability chain.
   */
  allocate(extra?: number): StructView<Fields>
  /**
   * Makes one, all zero, in memory outside the JavaScript heap. Its address goes to the kernel as a plain number, which costs a
   * fraction of handing over a buffer; see `ioctlFixed`. The memory is never given back: make one per request, not per call.
   *
   * Its fields check what they are given. Where each call has to be cheap, write what is sure to fit into {@link FixedStruct.words}.
   */
  fixed(): FixedStruct<Fields>
}

const WORD = 4

const SIZES: Record<FieldType, number> = { u8: 1, u16: 2, u32: 4, s32: 4, u64: 8 }

const GETTERS: Record<FieldType, (view: DataView, offset: number) => number | bigint> = {
  u8: (view, offset) => view.getUint8(offset),
  u16: (view, offset) => view.getUint16(offset, true),
  u32: (view, offset) => view.getUint32(offset, true),
  s32: (view, offset) => view.getInt32(offset, true),
  u64: (view, offset) => view.getBigUint64(offset, true),
}

const SETTERS: Record<FieldType, (view: DataView, offset: number, value: number | bigint) => void> = {
  u8: (view, offset, value) => view.setUint8(offset, Number(value)),
  u16: (view, offset, value) => view.setUint16(offset, Number(value), true),
  u32: (view, offset, value) => view.setUint32(offset, Number(value), true),
  s32: (view, offset, value) => view.setInt32(offset, Number(value), true),
  u64: (view, offset, value) => view.setBigUint64(offset, BigInt(value), true),
}

const RANGES: Record<FieldType, readonly [min: bigint, max: bigint]> = {
  u8: [0n, 0xffn],
  u16: [0n, 0xffffn],
  u32: [0n, 0xffff_ffffn],
  s32: [-0x8000_0000n, 0x7fff_ffffn],
  u64: [0n, 0xffff_ffff_ffff_ffffn],
}

/**
 * Describes a kernel struct by its size and its fields' offsets, so that it can be filled and read without FFI.
 *
 * Numbers that do not fit their field are refused: the kernel would see a wrapped value.
 *
 * @throws {@link OpenbarError} `ERR_INVALID_ARGUMENT` for a field outside the struct; when a field is set, for a value
 *   that it cannot hold.
 *
 * @example
 * ```ts
 * const vfioGroupStatus = defineStruct('vfio_group_status', 8, { argsz: ['u32', 0], flags: ['u32', 4] })
 * const status = vfioGroupStatus.allocate()
 * status.argsz = vfioGroupStatus.size
 * ```
 */
export function defineStruct<const Fields extends Record<string, FieldLayout>>(
  name: string,
  size: number,
  fields: Fields,
): Struct<Fields> {
  class View {
    readonly bytes: Uint8Array
    readonly view: DataView

    constructor(bytes: Uint8Array) {
      this.bytes = bytes
      this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    }
  }

  for (const [field, [type, offset]] of Object.entries(fields)) {
    if (offset < 0 || offset + SIZES[type] > size) {
      throw invalidArgument(`${name}.${field}`, offset, `an offset inside the struct's ${size} bytes`)
    }
    const get = GETTERS[type]
    const set = SETTERS[type]
    const [min, max] = RANGES[type]
    Object.defineProperty(View.prototype, field, {
      enumerable: true,
      get(this: View) {
        return get(this.view, offset)
      },
      set(this: View, value: number | bigint) {
        // Compared as bigint: rounded to a double, the largest u64 is 2^64, which does not fit.
        const whole = typeof value === 'bigint' ? value : Number.isInteger(value) ? BigInt(value) : undefined
        if (whole === undefined || whole < min || whole > max)
          throw invalidArgument(`${name}.${field}`, value, `a whole number from ${min} to ${max}`)
        set(this.view, offset, value)
      },
    })
  }

  return {
    name,
    size,
    fields,
    allocate: (extra = 0) => new View(new Uint8Array(size + extra)) as unknown as StructView<Fields>,
    fixed: () => {
      const { bytes, address } = fixedMemory(size)
      const words = new Uint32Array(bytes.buffer, bytes.byteOffset, size / WORD)
      return Object.assign(new View(bytes), { address, words }) as unknown as FixedStruct<Fields>
    },
  }
}
