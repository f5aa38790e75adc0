import { constants, fstatSync, openSync, readSync } from 'node:fs'
import {
  asFd,
  closeFd,
  Errno,
  errnoOf,
  type Fd,
  FdWatcher,
  fileError,
  invalidArgument,
  OpenbarError,
  readText,
  seekEnd,
} from '@openbar/linux'

const PATH = '/dev/kmsg'
/** Character device 1:11, in the kernel's encoding of device numbers. */
const KMSG_DEVICE = (1 << 8) | 11
/** The kernel's own limit for a record with its key-value pairs (CONSOLE_EXT_LOG_MAX): what is shorter is refused. */
const RECORD_BYTES = 8192

/** What a reader of faults needs of the kernel's log. */
export interface LogSource {
  readonly fd: Fd<'file'>
  /** Goes past all records that there are. */
  seekEnd(): void
  /**
   * Takes the next record, without waiting. Only while it is watched, for the descriptor may be a blocking one before.
   *
   * @returns `undefined` when there is none now; `overrun` when the log went round and records are gone.
   */
  read(): string | 'overrun' | undefined
  /** Calls back in the event loop whenever there is something to read, until what it returns is closed. */
  watch(onReadable: () => void): { close(): void }
  close(): void
}

/** The kernel's log, read from `/dev/kmsg`. */
export class KernelLog implements LogSource {
  readonly fd: Fd<'file'>
  readonly #buffer = Buffer.alloc(RECORD_BYTES)

  private constructor(fd: Fd<'file'>) {
    this.fd = fd
  }

  /** @throws {@link OpenbarError} `ERR_PERMISSION`, `ERR_NOT_SUPPORTED` where there is no such file, or `ERR_SYSCALL`. */
  static open(): KernelLog {
    try {
      return new KernelLog(asFd(openSync(PATH, constants.O_RDONLY | constants.O_NONBLOCK)))
    } catch (error) {
      throw openError(error)
    }
  }

  /** @throws {@link OpenbarError} `ERR_INVALID_ARGUMENT` for a descriptor of another file; `ERR_SYSCALL` (EBADF). */
  static fromFd(value: number): KernelLog {
    const fd = asFd<'file'>(value)
    if (!isKmsg(fd) || !isReadable(fd))
      throw invalidArgument('fd', fd, `a file descriptor of ${PATH}, open for reading`)
    return new KernelLog(fd)
  }

  seekEnd(): void {
    seekEnd(this.fd, PATH)
  }

  read(): string | 'overrun' | undefined {
    try {
      return this.#buffer.toString('latin1', 0, readSync(this.fd, this.#buffer, 0, RECORD_BYTES, null))
    } catch (error) {
      const errno = errnoOf(error)
      if (errno === Errno.EAGAIN) return undefined
      if (errno === Errno.EPIPE) return 'overrun'
      throw fileError('read', PATH, error)
    }
  }

  watch(onReadable: () => void): { close(): void } {
    return new FdWatcher(this.fd, onReadable)
  }

  close(): void {
    closeFd(this.fd)
  }
}

function isKmsg(fd: Fd): boolean {
  try {
    const stat = fstatSync(fd)
    return stat.isCharacterDevice() && stat.rdev === KMSG_DEVICE
  } catch (error) {
    throw fileError('fstat', `file descriptor ${fd}`, error)
  }
}

/** Otherwise it would wait well, and fail when there is something to read. */
function isReadable(fd: Fd): boolean {
  const [, flags = '0'] = /^flags:\s*([0-7]+)$/m.exec(readText(`/proc/self/fdinfo/${fd}`) ?? '') ?? []
  return (Number.parseInt(flags, 8) & constants.O_WRONLY) === 0
}

function openError(error: unknown): Error {
  const errno = errnoOf(error)
  const details = { errno, syscall: 'open', cause: error }
  if (errno === Errno.EACCES || errno === Errno.EPERM) {
    return new OpenbarError('ERR_PERMISSION', {
      message: `This process may not read the kernel's log, ${PATH}, where faults are reported.`,
      hint: 'Run it as root or with CAP_SYSLOG; or have a privileged process open it and hand its descriptor to this one: FaultReader.fromFd(fd).',
      context: { target: PATH },
      ...details,
    })
  }
  if (errno === Errno.ENOENT) {
    return new OpenbarError('ERR_NOT_SUPPORTED', {
      message: `There is no ${PATH} here, where the kernel reports faults.`,
      hint: 'A container has it only when it is told so, as by docker run --device /dev/kmsg --cap-add SYSLOG.',
      context: { what: PATH },
      ...details,
    })
  }
  return fileError('open', PATH, error)
}
