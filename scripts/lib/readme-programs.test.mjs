import { expect, test } from 'vitest'
import { extractPrograms } from './readme-programs.mjs'

const fence = '```'

test('extractPrograms finds whole programs, and where they stand', () => {
  const markdown = [
    '# a',
    '',
    `${fence}ts`,
    "import { a } from 'a'",
    'a()',
    fence,
    '',
    `${fence}ts`,
    "import 'b'",
    fence,
  ].join('\n')
  expect(extractPrograms(markdown)).toEqual([
    { code: "import { a } from 'a'\na()\n", line: 4 },
    { code: "import 'b'\n", line: 9 },
  ])
})

test('extractPrograms leaves fragments and other languages alone', () => {
  const markdown = [`${fence}ts`, 'a()', fence, `${fence}sh`, 'import x', fence].join('\n')
  expect(extractPrograms(markdown)).toEqual([])
})
