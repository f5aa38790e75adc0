import { configDefaults, defineConfig } from 'vitest/config'

/** Unit tests: what needs no device, no kernel feature and no root, on the machine itself. */
export default defineConfig({
  test: {
    include: ['packages/*/src/**/*.test.ts', 'examples/**/*.test.ts', 'scripts/**/*.test.mjs', 'tests/**/*.test.ts'],
    // Some tests start a Node.js of their own, which takes seconds on a busy machine.
    testTimeout: 60_000,
    exclude: [...configDefaults.exclude, '**/*.lab.test.ts', '**/*.qemu.test.*'],
  },
})
