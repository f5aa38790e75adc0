import { defineConfig } from 'tsup'
import { base } from '../../tsup.base.ts'

export default defineConfig({
  ...base,
  // One build with shared chunks, so that the error class is the same object behind every entry.
  splitting: true,
  entry: { index: 'src/index.ts', 'errors/index': 'src/errors/index.ts', 'sysfs/index': 'src/sysfs/index.ts' },
})
