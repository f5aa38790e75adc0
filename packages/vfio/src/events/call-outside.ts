/** Calls back, and makes an exception an uncaught one of the process: the other listeners are called all the same. */
export function callOutside(callback: () => void): void {
  try {
    callback()
  } catch (error) {
    process.nextTick(() => {
      throw error
    })
  }
}
