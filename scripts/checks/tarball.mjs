/**
 * What is wrong with a tarball: files that its users need and that are not in it, files that they do not need, and
 * dependencies on packages of this repository in versions that are not these.
 *
 * @param {import('../lib/packages.mjs').Manifest} manifest
 * @param {readonly string[]} files Paths from the package's root.
 * @param {ReadonlyMap<string, string>} versions Of the packages that are released together.
 * @returns {string[]}
 */
export function tarballProblems(manifest, files, versions) {
  const { name, version = '' } = manifest
  const present = new Set(files)
  const named = [...targets(manifest.exports), ...targets(manifest.bin)]
  const needed = [...new Set(['LICENSE', 'README.md', 'package.json', ...named])]
  const missing = needed.filter((path) => !present.has(path)).map((path) => `${name}: ${path} is not in the tarball`)
  const superfluous = files
    .filter((path) => /\.test\.|\.tsbuildinfo$|^node_modules\/|^(src|dist)\/testing\//.test(path))
    .map((path) => `${name}: ${path} does not belong in the tarball`)
  const ranges = Object.entries(manifest.dependencies ?? {}).flatMap(([dependency, range]) => {
    const own = versions.get(dependency)
    if (own === undefined || caretMatches(range, own)) return []
    return [`${name}@${version} wants ${dependency} ${range}, and this is ${own}`]
  })
  return [...missing, ...superfluous, ...ranges]
}

/**
 * The files that an `exports` or a `bin` names.
 *
 * @param {unknown} value
 * @returns {string[]}
 */
function targets(value) {
  if (typeof value === 'string') return [value.replace(/^\.\//, '')]
  if (typeof value !== 'object' || value === null) return []
  return Object.values(value).flatMap(targets)
}

/**
 * Whether a version is in a range of the form that packages here use for each other, `^1.2.3`. Any other range is refused.
 *
 * @param {string} range
 * @param {string} version
 */
export function caretMatches(range, version) {
  const wanted = /^\^(\d+)\.(\d+)\.(\d+)$/.exec(range)?.slice(1).map(Number)
  const given = /^(\d+)\.(\d+)\.(\d+)$/.exec(version)?.slice(1).map(Number)
  if (wanted === undefined || given === undefined) return false
  const different = [0, 1, 2].find((index) => wanted[index] !== given[index])
  if (different === undefined) return true
  // All up to and with the first number that is not 0 must be the same; what follows may only be higher.
  const fixed = wanted.findIndex((number) => number !== 0)
  return fixed !== -1 && different > fixed && Number(given[different]) > Number(wanted[different])
}
