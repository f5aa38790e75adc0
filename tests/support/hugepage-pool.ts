import { writeFileSync } from 'node:fs'
import { type HugepageCount, hugepages } from '@openbar/linux'

/** The kernel's pool of hugepages of a size, as sysfs has it. */
export function hugepagePool(size: number): HugepageCount {
  const pool = hugepages(size)
  if (pool === undefined) throw new Error(`This guest has no hugepages of ${size} bytes.`)
  return pool
}

/** Sets how many 2 MiB hugepages the pool has, and fails when the kernel has no memory in one piece for them. */
export function setHugepages(count: number): void {
  writeFileSync('/proc/sys/vm/nr_hugepages', String(count))
  const { total } = hugepagePool(2 * 1024 * 1024)
  if (total !== count) throw new Error(`The pool has ${total} hugepages, where ${count} were asked for.`)
}
