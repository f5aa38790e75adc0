/** Tells a listener, and makes an exception of it an uncaught one of the process: the others are told all the same. */
export function callOutside<Item>(listener: (item: Item) => void, item: Item): void {
  try {
    listener(item)
  } catch (error) {
    process.nextTick(() => {
      throw error
    })
  }
}
