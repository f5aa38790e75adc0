import { setFlagsFromString } from 'node:v8'

// Intrinsics of V8 are no JavaScript, so they are compiled here, after the flag that allows them.
setFlagsFromString('--allow-natives-syntax')
type Intrinsic<Result> = (callee: (...args: never[]) => unknown) => Result
const prepare = new Function('callee', '%PrepareFunctionForOptimization(callee)') as Intrinsic<void>
const optimizeOnNextCall = new Function('callee', '%OptimizeFunctionOnNextCall(callee)') as Intrinsic<void>
const statusOf = new Function('callee', 'return %GetOptimizationStatus(callee)') as Intrinsic<number>
setFlagsFromString('--no-allow-natives-syntax')

/** `kTurboFanned` of V8's `OptimizationStatus`: compiled by the optimising compiler. */
const TURBOFANNED = 1 << 6

/**
 * Has V8's optimising compiler compile a function, with what it calls inlined.
 *
 * @param warmUp - Calls the function as it will be called; the types that it meets are what is optimised for.
 */
export function optimize(callee: (...args: never[]) => unknown, warmUp: () => void): void {
  prepare(callee)
  for (let count = 0; count < 200; count += 1) warmUp()
  optimizeOnNextCall(callee)
  warmUp()
  if ((statusOf(callee) & TURBOFANNED) === 0) throw new Error(`${callee.name} was not optimised.`)
}
