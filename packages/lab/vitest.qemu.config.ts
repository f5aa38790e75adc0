import { defineConfig } from 'vitest/config'

/** Tests that boot machines. One file at a time: several guests under emulation would only slow each other down. */
export default defineConfig({
  test: {
    include: ['src/**/*.qemu.test.ts'],
    testTimeout: 120_000,
    hookTimeout: 120_000,
    fileParallelism: false,
  },
})
