import { join } from 'node:path'
import ts from 'typescript'
import { publicPackages } from '../lib/packages.mjs'
import { readPrograms } from '../lib/readme-programs.mjs'
import { root } from '../lib/root.mjs'

/**
 * Type-checks the programs in the READMEs, against the packages as they are built here and as strictly as the code itself.
 *
 * @returns {string[]} What is wrong, with file and line.
 */
export function checkReadmes() {
  /** @type {Map<string, { readme: string, line: number, code: string }>} */
  const files = new Map()
  /** @type {string[]} */
  const problems = []
  for (const directory of ['.', ...publicPackages().map((each) => each.directory)]) {
    const readme = join(directory, 'README.md')
    try {
      readPrograms(join(root, directory)).forEach(({ code, line }, index) => {
        // Beside the README, so that names are looked up from there. They are never written.
        files.set(join(root, directory, `README.${index}.mts`), { readme, line, code })
      })
    } catch (error) {
      problems.push(`${readme}: ${/** @type {Error} */ (error).message}`)
    }
  }

  const { config } = ts.readConfigFile(join(root, 'tsconfig.base.json'), ts.sys.readFile)
  const { options } = ts.convertCompilerOptionsFromJson(config.compilerOptions, root)
  // A program to read may show a value without using it.
  options.noUnusedLocals = false
  const host = ts.createCompilerHost(options)
  const { readFile, fileExists, getSourceFile } = host
  host.readFile = (path) => files.get(path)?.code ?? readFile.call(host, path)
  host.fileExists = (path) => files.has(path) || fileExists.call(host, path)
  host.getSourceFile = (path, ...rest) => {
    const own = files.get(path)
    return own === undefined
      ? getSourceFile.call(host, path, ...rest)
      : ts.createSourceFile(path, own.code, rest[0], true)
  }
  const program = ts.createProgram([...files.keys()], options, host)
  for (const { file, start, messageText } of ts.getPreEmitDiagnostics(program)) {
    const text = ts.flattenDiagnosticMessageText(messageText, '\n')
    const own = file === undefined ? undefined : files.get(file.fileName)
    if (file === undefined || own === undefined) problems.push(`${file?.fileName ?? ''} ${text}`)
    else {
      const { line } = file.getLineAndCharacterOfPosition(start ?? 0)
      problems.push(`${own.readme}:${own.line + line}: ${text}`)
    }
  }
  return problems
}
