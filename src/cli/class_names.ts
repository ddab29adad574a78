/**
 * The names of the classes that a model predicts.
 *
 * @module
 */
import { parseJson } from "../files/json.ts";
import { CIFAR10_CLASSES } from "../data/cifar.ts";
import { WeightsError } from "../errors.ts";

/**
 * The class names: from the weights file; without them, those of CIFAR-10 if there are ten classes, else "class 0", "class 1", ….
 *
 * @param stated the value of "classes" in the metadata of the file `weights`
 * @throws {WeightsError} if that is not a list of `count` names
 */
export function classNames(stated: string | undefined, count: number, weights: string): readonly string[] {
  if (stated === undefined) {
    return count === CIFAR10_CLASSES.length ? CIFAR10_CLASSES : Array.from({ length: count }, (_, i) => `class ${i}`);
  }
  try {
    const names = parseJson(stated);
    if (Array.isArray(names) && names.length === count && names.every((name) => typeof name === "string")) return names;
  } catch {
    // It is not JSON: the same error.
  }
  throw new WeightsError(`${weights}: its "classes" are not a list of ${count} names`);
}
