/**
 * Fine-tuning: a run starts from trained weights, and some of its parameters are frozen.
 *
 * @module
 */
import { UsageError, WeightsError } from "../errors.ts";
import { printable } from "../foreign_text.ts";
import type { StoredTensor } from "../io/stored_tensor.ts";
import type { Module } from "../nn/module.ts";
import type { RunConfig } from "../config/settings.ts";
import { applyWeights, readWeights } from "./weights.ts";

/**
 * Loads the weights of `--init` into a new model, and freezes the parameters that `--freeze` names. Parameters of the last
 * layer whose shapes differ in the file keep their initial values.
 *
 * @param say is told what was done, in lines.
 * @throws {WeightsError} if the file cannot be read, or does not fit the model otherwise.
 * @throws {UsageError} if a pattern matches no parameter, or no parameter is left to train.
 */
export async function fineTune(
  model: Module,
  { init, freeze }: Pick<RunConfig, "init" | "freeze">,
  say: (line: string) => void,
): Promise<void> {
  if (init !== undefined) {
    const { tensors } = await readWeights(init);
    const replaced = keepHead(model, tensors);
    applyWeights(model, tensors, init);
    say(
      `weights from ${init}${replaced.length > 0 ? `; of another size, and started anew: ${replaced.join(", ")}` : ""}`,
    );
  }
  const named = model.namedParameters(), frozen: string[] = [];
  for (const pattern of freeze) {
    const found = named.filter(([name]) => matchesName(pattern, name));
    if (found.length === 0) {
      throw new UsageError(
        `--freeze ${printable(pattern)} matches no parameter: there are ${named.map(([name]) => name).join(", ")}`,
      );
    }
    for (const [name, parameter] of found) {
      if (parameter.requiresGrad) frozen.push(name);
      parameter.requiresGrad = false;
    }
  }
  if (frozen.length === named.length) throw new UsageError("--freeze leaves no parameter to train");
  if (frozen.length > 0) say(`frozen: ${frozen.join(", ")}`);
}

/**
 * Replaces the tensors of the last layer whose shapes differ from the model's by the model's initial values: the file is
 * of a model with other classes then. @returns their names.
 */
function keepHead(model: Module, tensors: Map<string, StoredTensor>): string[] {
  const named = model.namedParameters(), layerOf = (name: string) => name.replace(/\.?[^.]*$/, "");
  const last = layerOf(named.at(-1)![0]);
  const replaced = named.filter(([name, { shape }]) => {
    const stored = tensors.get(name);
    return layerOf(name) === last && stored !== undefined && String(stored.shape) !== String(shape);
  });
  for (const [name, parameter] of replaced) {
    const { host } = parameter.value;
    if (!host) throw new WeightsError(`${name} was computed with before it was initialised`);
    tensors.set(name, { dtype: "F32", shape: parameter.shape, data: Float32Array.from(host) });
  }
  return replaced.map(([name]) => name);
}

/**
 * Whether a pattern matches a name: `*` matches any text, `?` any character, and the name of a layer all parameters in it.
 *
 * The pattern is followed at all positions that it may have reached at once. A regular expression would try them one after
 * the other, which for many `*` takes longer than anyone waits.
 */
export function matchesName(pattern: string, name: string): boolean {
  let reached = new Set<number>();
  /** Adds a position in the pattern, and those that it reaches because `*` matches an empty text. */
  const add = (positions: Set<number>, position: number) => {
    for (; !positions.has(position); position++) {
      positions.add(position);
      if (pattern[position] !== "*") return;
    }
  };
  add(reached, 0);
  for (const letter of name) {
    if (letter === "." && reached.has(pattern.length)) return true;
    const next = new Set<number>();
    for (const position of reached) {
      const expected = pattern[position];
      if (expected === "*") add(next, position);
      else if (expected === "?" || expected === letter) add(next, position + 1);
    }
    reached = next;
  }
  return reached.has(pattern.length);
}
