/**
 * State dictionaries: tensors by name. A module's holds its parameters, an optimizer's its buffers.
 *
 * @module
 */
import type { WgradError } from "../errors.ts";
import { constant } from "../graph/node.ts";
import { withoutGradients } from "../graph/recorder.ts";
import { describe } from "../ops/options.ts";
import { text } from "../ops/shape/shape.ts";
import { Tensor } from "./tensor.ts";
import { watcher } from "./watch.ts";

/**
 * Gives each tensor of `own` the elements of the one of its name in `state`: all of them, or none where any does not fit.
 *
 * @param refusal makes the error, given what does not fit: names that are missing or unexpected, shapes, types.
 */
export function loadState(
  own: ReadonlyMap<string, Tensor>,
  state: ReadonlyMap<string, Tensor>,
  refusal: (why: string) => WgradError,
): void {
  if (!(state instanceof Map)) {
    throw refusal(`expected a Map of tensors by name, as stateDict() gives, got ${describe(state)}`);
  }
  const wrong: string[] = [];
  const missing = [...own.keys()].filter((name) => !state.has(name));
  const unexpected = [...state.keys()].filter((name) => !own.has(name));
  if (missing.length > 0) wrong.push(`missing ${missing.join(", ")}`);
  if (unexpected.length > 0) wrong.push(`unexpected ${unexpected.join(", ")}`);
  for (const [name, { shape, dtype }] of own) {
    if (!state.has(name)) continue;
    const given: unknown = state.get(name);
    if (!(given instanceof Tensor)) wrong.push(`${name} is ${describe(given)} instead of a Tensor`);
    else if (text(given.shape) !== text(shape)) {
      wrong.push(`${name} has shape ${text(given.shape)} instead of ${text(shape)}`);
    } else if (given.dtype !== dtype) wrong.push(`${name} is ${given.dtype} instead of ${dtype}`);
  }
  if (wrong.length > 0) throw refusal(wrong.join("; "));
  withoutGradients(() => {
    // Read before any is changed: a tensor that was disposed of throws here, and some of `state` may be some of `own`.
    const given = Array.from(own, ([name, mine]) => [mine, state.get(name)!.detach(), state.get(name)!.value] as const);
    for (const [mine, one, { host }] of given) {
      // What was never computed with stays so: an optimizer can still put all parameters into one block.
      if (host && !watcher()) mine.assign(constant(host, mine.shape), "loadStateDict");
      else mine.copy_(one);
    }
  });
}
