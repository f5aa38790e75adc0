/** A line of a printed tree, and what stands below it. */
export interface TreeNode {
  readonly text: string
  readonly children?: readonly TreeNode[]
}

/** Prints a tree: the line of its root, and below it the branches. Ends without a newline. */
export function printTree({ text, children = [] }: TreeNode): string {
  const lines = [text]
  addBranches(lines, children, '')
  return lines.join('\n')
}

function addBranches(lines: string[], nodes: readonly TreeNode[], indent: string): void {
  nodes.forEach(({ text, children = [] }, index) => {
    const last = index === nodes.length - 1
    lines.push(`${indent}${last ? '└─' : '├─'} ${text}`)
    addBranches(lines, children, `${indent}${last ? '   ' : '│  '}`)
  })
}
