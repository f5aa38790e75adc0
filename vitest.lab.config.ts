import { defineConfig } from 'vitest/config'

/**
 * Tests on devices, in a guest. The host's files are read-only there, and every process costs a second or two under
 * software emulation: one process for all files, and nothing is written but the report.
 *
 * By hand: `openbar-lab run --nic e1000e -- vitest run --config vitest.lab.config.ts --configLoader native`
 */
export default defineConfig({
  cacheDir: '/tmp/vitest',
  test: {
    include: ['tests/**/*.lab.test.ts', 'packages/*/src/**/*.lab.test.ts'],
    // A process of its own, not a worker thread: the main thread of a process is where drivers run.
    pool: 'forks',
    maxWorkers: 1,
    isolate: false,
    fileParallelism: false,
    fsModuleCache: false,
    sequence: { shuffle: false },
    testTimeout: 60_000,
    hookTimeout: 60_000,
    reporters: ['default', 'json'],
    outputFile: { json: `${process.env['OPENBAR_LAB_OUT'] ?? '/tmp'}/report.json` },
    // What is built is loaded as programs load it, and is not transformed once more.
    server: { deps: { external: [/\/packages\/[^/]+\/dist\//] } },
  },
})
