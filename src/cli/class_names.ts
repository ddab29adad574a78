/**
 * The names of the classes that weights tell apart.
 *
 * @module
 */
import { CIFAR10_CLASSES } from "../data/cifar.ts";
import { WeightsError } from "../errors.ts";

/**
 * What the classes are called: as the weights say, else CIFAR-10's names where there are ten.
 *
 * @param stated "classes" of the metadata of the file `weights`.
 * @throws {WeightsError} where that is no list of `count` names.
 */
export function classNames(stated: string | undefined, count: number, weights: string): readonly string[] {
  if (stated === undefined) {
    return count === CIFAR10_CLASSES.length ? CIFAR10_CLASSES : Array.from({ length: count }, (_, i) => `class ${i}`);
  }
  try {
    const names = JSON.parse(stated);
    if (Array.isArray(names) && names.length === count && names.every((name) => typeof name === "string")) return names;
  } catch {
    // Not JSON either.
  }
  throw new WeightsError(`${weights}: its "classes" are not the names of ${count} classes`);
}
