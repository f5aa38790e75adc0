import type { Options } from 'tsup'

/** What every package's JavaScript build shares. Types are emitted by `tsc`, in a step of their own. */
export const base: Options = {
  format: 'esm',
  platform: 'node',
  target: 'node24',
  outDir: 'dist',
  sourcemap: true,
  clean: true,
  dts: false,
  treeshake: true,
}
