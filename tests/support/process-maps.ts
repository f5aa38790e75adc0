import { readFileSync } from 'node:fs'

/** Pages of a process. */
interface Pages {
  readonly address: number
  readonly size: number
}

interface Area {
  readonly start: number
  readonly end: number
  readonly rights: string
}

/** Pages that another process can read and write, and at whose address this process has nothing. */
export function foreignPages(pid: number, size: number): Pages {
  const own = areas('self')
  const isOwn = (address: number) => own.some(({ start, end }) => start < address + size && address < end)
  const found = areas(pid).find(({ start, end, rights }) => rights === 'rw-p' && end - start >= size && !isOwn(start))
  if (found === undefined) throw new Error(`Process ${pid} has nothing where this process has nothing.`)
  return { address: found.start, size }
}

/** Pages of this process with the given rights, or ones of which the last is not there. */
export function ownPages(wanted: 'r--p' | '---p' | 'before a hole', size: number): Pages {
  const own = areas('self')
  if (wanted !== 'before a hole') {
    const found = own.find(({ start, end, rights }) => rights === wanted && end - start >= size)
    if (found === undefined) throw new Error(`This process has no pages with the rights ${wanted}.`)
    return { address: found.start, size }
  }
  const page = 4096
  const found = own.find(
    ({ end, start, rights }, index) =>
      rights === 'rw-p' && end - start >= size - page && (own[index + 1]?.start ?? 0) >= end + page,
  )
  if (found === undefined) throw new Error('This process has no pages before a hole.')
  return { address: found.end - size + page, size }
}

/** As the kernel lists them, ascending. */
function areas(pid: number | 'self'): Area[] {
  const lines = readFileSync(`/proc/${pid}/maps`, 'utf8').matchAll(/^([\da-f]+)-([\da-f]+) (\S+)/gm)
  return Array.from(lines, ([, start = '', end = '', rights = '']) => ({
    start: Number.parseInt(start, 16),
    end: Number.parseInt(end, 16),
    rights,
  }))
}
