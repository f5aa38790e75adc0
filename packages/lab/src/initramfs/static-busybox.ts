import { readFileSync } from 'node:fs'
import { findProgram } from '../util/find-program.ts'

/** Whether an x86-64 ELF program needs no dynamic linker, and so runs where there is nothing but itself. */
export function isStaticElf(image: Buffer): boolean {
  if (image.length < 64 || image.readUInt32BE(0) !== 0x7f454c46) return false
  const interpreter = 3
  const offset = Number(image.readBigUInt64LE(32))
  const size = image.readUInt16LE(54)
  const count = image.readUInt16LE(56)
  for (let index = 0; index < count; index++) {
    if (image.readUInt32LE(offset + index * size) === interpreter) return false
  }
  return true
}

/** The path of a static busybox, or undefined: the package `busybox` has one that is not. */
export function staticBusybox(): string | undefined {
  const path = findProgram('busybox')
  return path !== undefined && isStaticElf(readFileSync(path)) ? path : undefined
}
