/** The size of a memory page in bytes. Fixed on x86-64. */
export const PAGE_SIZE = 4096
