import { configDefaults, defineConfig } from 'vitest/config'

/** Unit tests: what needs no device, no kernel feature and no root, on the machine itself. */
export default defineConfig({
  test: {
    include: ['packages/*/src/**/*.test.ts', 'examples/**/*.test.ts', 'scripts/**/*.test.mjs'],
    exclude: [...configDefaults.exclude, '**/*.lab.test.ts', '**/*.qemu.test.*'],
  },
})
