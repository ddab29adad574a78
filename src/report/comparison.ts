/**
 * Compares several runs: which have the best results, and which of their settings differ. `wgrad compare` prints the table, and
 * its page shows it.
 *
 * @module
 */
import { loss, NOTHING, number, percent, setting, time } from "./page/format.js";
import { figuresOf, settingsOf } from "./page/series.js";
import type { RunView } from "./run_view.ts";

/** The most runs in one comparison: the page has 8 colours and 3 kinds of lines. */
export const MAX_COMPARED = 24;

/** A setting or a result of all runs. */
export interface ComparisonRow {
  readonly label: string;
  /** As text, in the order of the runs; `–` if a run has no value. */
  readonly values: readonly string[];
  /** For a result: the indices of the runs with the best value. Empty if all have the same, or they cannot be compared. */
  readonly best: readonly number[];
}

/** A table with one column per run. */
export interface Comparison {
  readonly names: readonly string[];
  readonly results: readonly ComparisonRow[];
  /** The settings that are not the same in all runs. */
  readonly settings: readonly ComparisonRow[];
  /** Why some results cannot be compared, in full sentences. */
  readonly notes: readonly string[];
}

/** Settings that always differ between runs, so they are never shown. */
const NEVER_SHOWN = ["name", "out"];

type Figures = ReturnType<typeof figuresOf>;

/** What a result depends on besides the settings that are compared: the test images, the validation images, or neither. */
type Measured = "test" | "validation" | "training";

/** The results: the label, the figure, its format, what it was measured on, and whether the largest or the smallest is best. */
const RESULTS: readonly [
  label: string,
  key: keyof Figures,
  format: (value: number | null) => string,
  on?: Measured,
  best?: "max" | "min",
][] = [
  ["test accuracy", "testAccuracy", (value) => percent(value, 2), "test", "max"],
  ["test loss", "testLoss", loss, "test", "min"],
  ["highest validation accuracy", "valAccuracy", (value) => percent(value, 2), "validation", "max"],
  ["lowest validation loss", "valLoss", loss, "validation", "min"],
  ["training loss, mean of the last epoch", "trainLoss", loss, "training", "min"],
  ["steps", "steps", number],
  ["training time", "seconds", time],
  [
    "images/s, mean",
    "imagesPerSecond",
    (value) => number(value === null ? null : Math.round(value)),
    "training",
    "max",
  ],
];

/** Compares runs. */
export function compareRuns(runs: readonly RunView[]): Comparison {
  const names = runs.map(({ name }) => name), figures = runs.map(figuresOf);
  const datas = runs.map(dataOf), groups = groupByData(datas), sameData = groups.length === 1;
  const validated = datas.filter((_, i) => figures[i]!.valAccuracy !== null);
  const sameSplit = areSame(validated.map(({ split }) => split));
  const comparable: Record<Measured, boolean> = {
    test: sameData,
    training: sameData,
    validation: sameData && sameSplit,
  };
  const results = RESULTS.map(([label, key, format, on, best]): ComparisonRow => {
    const values = figures.map((of) => of[key]);
    return {
      label,
      values: values.map(format),
      best: best === undefined || on === undefined || !comparable[on] ? [] : bestOf(values, Math[best]),
    };
  }).filter(({ values }) => values.some((value) => value !== NOTHING));
  const configs = runs.map(settingsOf);
  const settings = [...new Set(configs.flatMap(Object.keys))].filter((key) => !NEVER_SHOWN.includes(key))
    .map((key): ComparisonRow => ({ label: kebab(key), values: configs.map((of) => setting(of[key])), best: [] }))
    .filter(({ values }) => !areSame(values));
  const notes: string[] = [];
  if (!sameData) {
    const parts = groups.map((of) => `${of.map((i) => names[i]).join(", ")} (${datas[of[0]!]!.name})`);
    notes.push(`These runs have different data, so no result is marked as the best: ${parts.join("; ")}.`);
  } else if (!sameSplit) {
    notes.push("These runs were validated with different images, so no validation result is marked as the best.");
  }
  return { names, results, settings, notes };
}

/** The data of a run, to compare with that of others. A missing value is unknown. */
interface RunData {
  readonly name: string;
  /** The test images: their number and their classes. */
  readonly tested?: string;
  /** The checksum of the training images, without those that are held out. */
  readonly sha256?: string;
  /** Which of the training images are held out. */
  readonly split: string;
}

function dataOf({ config, environment, evaluation }: RunView): RunData {
  const { name = config.data, sha256 } = Object(environment.data) as Record<string, unknown>;
  return {
    name: setting(name),
    ...(evaluation && { tested: JSON.stringify([evaluation.split, evaluation.images, evaluation.classes]) }),
    ...(typeof sha256 === "string" && { sha256 }),
    split: JSON.stringify(config.valSplit ? [config.valSplit, config.seed] : 0),
  };
}

/** Whether two runs were tested on the same images, as far as is known: other held-out images give another checksum. */
function isSameData(a: RunData, b: RunData): boolean {
  const isSame = (key: "tested" | "sha256") => a[key] === undefined || b[key] === undefined || a[key] === b[key];
  return a.name === b.name && isSame("tested") && (a.split !== b.split || isSame("sha256"));
}

/** Puts the indices of runs with the same data together. */
function groupByData(datas: readonly RunData[]): number[][] {
  const groups: number[][] = [];
  datas.forEach((data, i) => {
    const group = groups.find((members) => members.every((member) => isSameData(datas[member]!, data)));
    if (group) group.push(i);
    else groups.push([i]);
  });
  return groups;
}

function areSame(values: readonly string[]): boolean {
  return new Set(values).size <= 1;
}

/** The indices of the best values; none if all are the same. */
function bestOf(values: readonly (number | null)[], select: (...values: number[]) => number): number[] {
  const known = values.filter((value) => value !== null);
  const best = select(...known);
  if (known.every((value) => value === best)) return [];
  return values.flatMap((value, i) => value === best ? [i] : []);
}

/** The flag of a setting: `batchSize` becomes `batch-size`. */
function kebab(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
