import ts from 'typescript'

/**
 * @typedef {'any' | 'type'} Kind What one package may import of another: anything, or only types.
 */

/**
 * Who may import whom, by the names of the directories in packages/. What is not here is not allowed. Private workspaces may
 * import every package.
 *
 * @type {Readonly<Record<string, Readonly<Record<string, Kind>>>>}
 */
export const allowedImports = {
  linux: {},
  pci: { linux: 'any' },
  iommu: { linux: 'any' },
  vfio: { iommu: 'any', pci: 'any', linux: 'any' },
  'drivers-e1000': { vfio: 'any', iommu: 'any', pci: 'type' },
  lab: {},
}

/**
 * @typedef {object} FoundImport
 * @property {string} specifier
 * @property {boolean} typeOnly Nothing is left of it in JavaScript.
 * @property {number} line
 */

/**
 * @typedef {object} Importer A file, as far as the rules need to know it.
 * @property {string} path From the root, with `/`.
 * @property {string} directory Of its workspace, from the root, such as `packages/pci`.
 * @property {import('../lib/packages.mjs').Manifest} manifest Of its workspace.
 */

/**
 * All that a file imports: declarations, `import()` in code and in types, `require` however it was come by.
 *
 * @param {string} text
 * @param {string} path
 * @returns {FoundImport[]}
 */
export function findImports(text, path) {
  const source = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, false)
  /** @type {FoundImport[]} */
  const found = []
  /**
   * @param {ts.Node | undefined} literal
   * @param {boolean} typeOnly
   */
  const add = (literal, typeOnly) => {
    if (literal === undefined || !ts.isStringLiteralLike(literal)) return
    const line = source.getLineAndCharacterOfPosition(literal.getStart(source)).line + 1
    found.push({ specifier: literal.text, typeOnly, line })
  }
  /** @param {ts.Node} node */
  const visit = (node) => {
    if (ts.isImportDeclaration(node)) add(node.moduleSpecifier, node.importClause?.isTypeOnly === true)
    else if (ts.isExportDeclaration(node)) add(node.moduleSpecifier, node.isTypeOnly)
    else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) add(node.argument.literal, true)
    else if (ts.isCallExpression(node) && loads(node.expression)) add(node.arguments[0], false)
    ts.forEachChild(node, visit)
  }
  visit(source)
  return found
}

/**
 * Whether calling this loads a module: `import`, `require`, `createRequire(…)`.
 *
 * @param {ts.Expression} callee
 */
function loads(callee) {
  if (callee.kind === ts.SyntaxKind.ImportKeyword) return true
  if (ts.isIdentifier(callee)) return callee.text === 'require'
  return ts.isCallExpression(callee) && ts.isIdentifier(callee.expression) && callee.expression.text === 'createRequire'
}

/**
 * Judges one import.
 *
 * @param {FoundImport} found
 * @param {Importer} importer
 * @param {import('../lib/packages.mjs').Manifest} rootManifest
 * @returns {string | undefined} The rule that it breaks.
 */
function brokenRule({ specifier, typeOnly }, importer, rootManifest) {
  if (specifier.startsWith('node:')) return undefined
  if (specifier.startsWith('.') || specifier.startsWith('/')) return brokenPathRule(specifier, importer)

  const parts = specifier.split('/')
  const name = parts.slice(0, specifier.startsWith('@') ? 2 : 1).join('/')
  const { manifest, directory } = importer
  if (name === manifest.name) return `a package imports its own files by path, not as ${name}`
  if (!isDeclared(name, importer, rootManifest)) {
    return `${name} is not among the dependencies in ${directory}/package.json`
  }
  const target = /^@openbar\/(.+)$/.exec(name)?.[1]
  if (target === undefined || manifest.private === true) return undefined
  const own = directory.replace(/^packages\//, '')
  const kind = allowedImports[own]?.[target]
  if (kind === undefined) return `${own} may not import ${target}`
  if (kind === 'type' && !typeOnly && !isTest(importer.path)) {
    return `${own} may import ${target} only with \`import type\``
  }
  return undefined
}

/**
 * @param {string} specifier
 * @param {Importer} importer
 */
function brokenPathRule(specifier, { path, directory, manifest }) {
  const base = new URL(path, 'file:///')
  const target = new URL(specifier, base).pathname.slice(1)
  if (target.startsWith(`${directory}/src/testing/`) && !isTest(path)) return 'only tests may import from src/testing'
  if (target.startsWith(`${directory}/`)) return undefined
  // Private workspaces are not packages: tests may use what examples are made of.
  if (manifest.private === true && !target.startsWith('packages/')) return undefined
  // A test that needs a device cannot stand beside the file that it tests, where that is not exported.
  if (manifest.private === true && path.endsWith('.lab.test.ts') && /^packages\/[^/]+\/src\//.test(target))
    return undefined
  return `a path may not leave ${directory}: import another package by its name`
}

/**
 * @param {string} name
 * @param {Importer} importer
 * @param {import('../lib/packages.mjs').Manifest} rootManifest
 */
function isDeclared(name, { path, manifest }, rootManifest) {
  const { dependencies, peerDependencies, optionalDependencies, devDependencies } = manifest
  const lists = [dependencies, peerDependencies, optionalDependencies]
  // Tools for tests stand once, at the root. Tests are not published.
  if (manifest.private === true || isTest(path)) lists.push(devDependencies, rootManifest.devDependencies)
  return lists.some((list) => list !== undefined && name in list)
}

/**
 * Whether a file is not published: a test, or a helper of tests. What is published may not import the latter.
 *
 * @param {string} path
 */
function isTest(path) {
  return /\.test\.ts$|\/src\/testing\//.test(path)
}

/**
 * Judges all imports of a file.
 *
 * @param {string} text
 * @param {Importer} importer
 * @param {import('../lib/packages.mjs').Manifest} rootManifest
 * @returns {string[]} `file:line: rule` for each import that breaks one.
 */
export function checkImports(text, importer, rootManifest) {
  return findImports(text, importer.path).flatMap((found) => {
    const rule = brokenRule(found, importer, rootManifest)
    return rule === undefined ? [] : [`${importer.path}:${found.line}: ${rule} ('${found.specifier}')`]
  })
}
