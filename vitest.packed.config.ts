import { defineConfig } from 'vitest/config'

/** The published packages, installed into an empty project: needs npm, and boots a guest. */
export default defineConfig({
  test: { include: ['scripts/packed/*.qemu.test.mjs'], testTimeout: 120_000, hookTimeout: 300_000 },
})
