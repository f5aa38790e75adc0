import { constants } from 'node:fs'
import { open, readFile } from 'node:fs/promises'

/**
 * How binding reads and writes sysfs attributes. Asynchronous, as the kernel answers such a write only when a driver's
 * probe or removal has ended, and that may take long or hang.
 */
export interface SysfsIo {
  /** The attribute's text. Fails as Node's own functions do, with an `errno`. */
  read(path: string): Promise<string>
  /** Writes with one `write(2)`, and never makes a file. Fails as Node's own functions do, with an `errno`. */
  write(path: string, text: string): Promise<void>
}

/** The real one. */
export const sysfsIo: SysfsIo = {
  read(path) {
    return readFile(path, 'utf8')
  },
  async write(path, text) {
    const file = await open(path, constants.O_WRONLY)
    try {
      await file.write(text)
    } finally {
      await file.close()
    }
  },
}
