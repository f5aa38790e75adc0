/** For each module file, the files of those that it needs, as modules.dep lists them. */
export type ModuleDependencies = ReadonlyMap<string, readonly string[]>

/** Reads a modules.dep file. */
export function parseModulesDep(text: string): ModuleDependencies {
  const all = new Map<string, readonly string[]>()
  for (const line of text.split('\n')) {
    const colon = line.indexOf(':')
    if (colon > 0)
      all.set(
        line.slice(0, colon),
        line
          .slice(colon + 1)
          .split(' ')
          .filter((path) => path !== ''),
      )
  }
  return all
}

/** The name that `modprobe` knows a module file by: dashes and underscores are the same to it. */
export function moduleName(path: string): string {
  return path
    .slice(path.lastIndexOf('/') + 1)
    .replace(/\.ko(\.\w+)?$/, '')
    .replaceAll('-', '_')
}

/**
 * The module files to load, in an order in which each comes after all that it needs. Names that are not in the list are left
 * out: they are built in, or this kernel does not have them.
 */
export function moduleOrder(dependencies: ModuleDependencies, names: readonly string[]): readonly string[] {
  const byName = new Map([...dependencies.keys()].map((path) => [moduleName(path), path]))
  const order = new Set<string>()
  const add = (path: string) => {
    if (order.has(path)) return
    // modules.dep lists the whole closure; deepest last. Each one's own line settles the order among them.
    for (const needed of dependencies.get(path) ?? []) if (!order.has(needed)) add(needed)
    order.add(path)
  }
  for (const name of names) {
    const path = byName.get(name.replaceAll('-', '_'))
    if (path !== undefined) add(path)
  }
  return [...order]
}
