/**
 * Which module computed what: the calls of `forward` in a network while a graph is recorded.
 *
 * @module
 */
import { recorder } from "../graph/recorder.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Module } from "./module.ts";

/** One call of a module's `forward`. */
export interface Call {
  /** The module's dotted name; "" is the network itself. */
  readonly name: string;
  readonly module: Module;
  /** The number of calls of the same module that began before this one. */
  readonly index: number;
  readonly output: Tensor;
  /** The ids of the values that were recorded during the call: from `start` to before `end`. */
  readonly start: number;
  readonly end: number;
}

/** The calls so far, in the order in which they ended: a call comes before the one that it is made in. */
export interface Calls extends Disposable {
  readonly list: readonly Call[];
}

/** Notes every call of `forward` of `network` and of the modules in it, until it is disposed of. */
export function watchCalls(network: Module): Calls {
  const list: Call[] = [], restore: (() => void)[] = [];
  for (const [name, module] of network.namedModules()) {
    const own = Object.getOwnPropertyDescriptor(module, "forward"), forward = module.forward;
    let count = 0;
    const watched = (...inputs: Parameters<typeof forward>) => {
      const index = count++, start = recorder.nextId, output = forward.apply(module, inputs);
      list.push({ name, module, index, output, start, end: recorder.nextId });
      return output;
    };
    Object.defineProperty(module, "forward", { value: watched, configurable: true });
    // A `forward` that was assigned to the module itself comes back; otherwise that of its class shows again.
    restore.push(() => own ? Object.defineProperty(module, "forward", own) : Reflect.deleteProperty(module, "forward"));
  }
  return {
    list,
    [Symbol.dispose]() {
      for (const one of restore) one();
    },
  };
}
