import { formatTree } from 'consola/utils'

/** A line of a printed tree, and what stands below it. */
export interface TreeNode {
  readonly text: string
  readonly children?: readonly TreeNode[]
}

/** Prints a tree: the line of its root, and below it the branches. Ends without a newline. */
export function printTree({ text, children = [] }: TreeNode): string {
  return `${text}\n${formatTree(children.map(item), { prefix: '' })}`.trimEnd()
}

/** A blank between a branch and its text, which the library leaves to its caller. */
function item({ text, children = [] }: TreeNode): { text: string; children: ReturnType<typeof item>[] } {
  return { text: ` ${text}`, children: children.map(item) }
}
