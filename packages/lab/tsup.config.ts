import { defineConfig } from 'tsup'
import { base } from '../../tsup.base.ts'

export default defineConfig({
  ...base,
  entry: { index: 'src/index.ts', guest: 'src/guest/index.ts', cli: 'src/cli/main.ts' },
})
