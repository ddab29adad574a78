/**
 * The data that weights were trained on, as a file of weights names it, and the checks that other data is the same.
 *
 * @module
 */
import { resolve } from "node:path";
import type { RunConfig } from "../config/settings.ts";
import { areNamed } from "../data/class_names.ts";
import type { Dataset } from "../data/dataset.ts";
import { UsageError } from "../errors.ts";
import { parseJson } from "../files/json.ts";
import { printable } from "../foreign_text.ts";
import { isPlain } from "../ops/options.ts";
import type { DataIdentity } from "../train/device_data.ts";

/** The data that weights were trained on. */
export interface DataSource {
  /** The name of the data set. */
  readonly name: string;
  /** What `--data` takes to open it: `cifar10`, `synthetic`, or an absolute path. */
  readonly place: string;
  /** The images that the weights were trained on. */
  readonly train: DataIdentity;
  /** The test images, if the weights were tested on them. */
  readonly test?: DataIdentity;
}

/** What `--data` takes to open the data of a run from any folder. */
function placeOf(data: string): string {
  return data === "cifar10" || data === "synthetic" ? data : resolve(data);
}

/** The data of a run. @param train the images that it is trained on. */
export function sourceOf({ data }: Pick<RunConfig, "data">, { name }: Dataset, train: DataIdentity): DataSource {
  return { name, place: placeOf(data), train };
}

/** Parses the metadata `data` of a file of weights. @returns undefined if the file has none, or something else. */
export function dataSourceIn(text: string | undefined): DataSource | undefined {
  let value: unknown;
  try {
    value = parseJson(text ?? "null");
  } catch {
    return undefined;
  }
  if (!isPlain(value)) return undefined;
  const { name, place, train, test } = value as Record<string, unknown>;
  if (typeof name !== "string" || typeof place !== "string" || place === "" || !isIdentity(train)) return undefined;
  return { name, place, train, ...(isIdentity(test) && { test }) };
}

function isIdentity(value: unknown): value is DataIdentity {
  if (!isPlain(value)) return false;
  const { images, sha256 } = value as Record<string, unknown>;
  return Number.isSafeInteger(images) && typeof sha256 === "string";
}

/**
 * Checks that a data set has the classes that weights were trained on. Classes without names may be any.
 *
 * @throws {UsageError} if it has others, naming the first of both.
 */
export function checkSameClasses(
  { classes, file }: { readonly classes: readonly string[]; readonly file: string },
  { name, classes: others }: Dataset,
): void {
  const sameCount = classes.length === others.length;
  if (sameCount && (!areNamed(classes) || !areNamed(others) || classes.every((one, i) => one === others[i]))) return;
  throw new UsageError(
    `${file} tells apart ${listed(classes)}, and ${name} has ${listed(others)}: ` +
      "give --data with the data that the weights were trained on",
  );
}

/** A count of classes, and the first names. */
function listed(classes: readonly string[]): string {
  const few = classes.slice(0, 3).map((name) => printable(name, 30)).join(", ");
  return `${classes.length} classes (${few}${classes.length > 3 ? ", …" : ""})`;
}

/**
 * Compares the images of a split with those that weights were trained or tested on.
 *
 * @returns a warning if they differ; undefined if they are the same, or the file does not know.
 */
export function differenceOfImages(
  source: DataSource | undefined,
  split: "train" | "test",
  { name }: Dataset,
  now: DataIdentity,
): string | undefined {
  const before = source?.[split];
  // Other images were held out of the training split, so that its checksum is of some of them.
  if (!before || (split === "train" && before.images !== now.images) || before.sha256 === now.sha256) return undefined;
  const images = split === "train" ? "was trained on" : "was tested on when it was trained";
  return `WARNING: the ${split} images of ${name} are not those that the model ${images}: their checksums differ`;
}
