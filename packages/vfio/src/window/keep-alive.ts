const keepers = new WeakMap<ArrayBuffer, object>()

/** Keeps something from being collected for as long as anybody holds a buffer, or an array over it. */
export function keepAlive(keeper: object | undefined, buffer: ArrayBuffer): void {
  if (keeper !== undefined) keepers.set(buffer, keeper)
}
