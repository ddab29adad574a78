/**
 * Compares several runs: which settings differ, and which runs have the best results. `wgrad compare` prints the table, and
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
  /** Whether this is a setting that is not the same in all runs. */
  readonly differs: boolean;
  /** For a result: the indices of the runs with the best value. Empty if all have the same. */
  readonly best: readonly number[];
}

/** A table with one column per run. */
export interface Comparison {
  readonly names: readonly string[];
  readonly rows: readonly ComparisonRow[];
}

/** The settings that are always shown. Others are shown only if they differ. */
const ALWAYS_SHOWN = ["model", "data", "optimizer", "lr", "batchSize", "epochs"];

/** Settings that always differ between runs, so they are never shown. */
const NEVER_SHOWN = ["name", "out"];

type Figures = ReturnType<typeof figuresOf>;

/** The results: the label, the figure, its format, and whether the largest or the smallest is the best. */
const RESULTS: readonly [
  label: string,
  key: keyof Figures,
  format: (value: number | null) => string,
  best?: "max" | "min",
][] = [
  ["steps", "steps", number],
  ["best loss", "bestLoss", loss, "min"],
  ["last loss", "lastLoss", loss, "min"],
  ["best validation accuracy", "valAccuracy", (value) => percent(value, 2), "max"],
  ["last test accuracy", "testAccuracy", (value) => percent(value, 2), "max"],
  ["last test loss", "testLoss", loss, "min"],
  ["time", "seconds", time],
  ["last images/s", "imagesPerSecond", (value) => number(value === null ? null : Math.round(value)), "max"],
];

/** Compares runs. */
export function compareRuns(runs: readonly RunView[]): Comparison {
  const configs = runs.map(settingsOf), keys = new Set([...ALWAYS_SHOWN, ...configs.flatMap(Object.keys)]);
  const settings = [...keys].filter((key) => !NEVER_SHOWN.includes(key)).map((key): ComparisonRow => {
    const values = configs.map((config) => setting(config[key]));
    return { label: kebab(key), values, differs: new Set(values).size > 1, best: [] };
  });
  const figures = runs.map(figuresOf);
  const results = RESULTS.map(([label, key, format, best]): ComparisonRow => ({
    label,
    values: figures.map((of) => format(of[key])),
    differs: false,
    best: best === undefined ? [] : bestOf(figures.map((of) => of[key]), Math[best]),
  }));
  const shown = settings.filter(({ label, differs }) => differs || ALWAYS_SHOWN.some((key) => kebab(key) === label));
  const rows = [...shown, ...results.filter(({ values }) => values.some((value) => value !== NOTHING))];
  return { names: runs.map(({ name }) => name), rows };
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
