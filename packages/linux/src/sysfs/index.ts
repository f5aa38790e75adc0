/** Readers and writers of sysfs and /proc, without FFI: `@openbar/linux/sysfs`. */
export { fileError } from './file-error.ts'
export { listDirectory } from './list-directory.ts'
export { readLinkName } from './read-link-name.ts'
export { readNumber } from './read-number.ts'
export { readText } from './read-text.ts'
export { writeText } from './write-text.ts'
