/**
 * Several runs side by side: which settings differ, and who got the best results. `wgrad compare` prints it, and its page
 * shows it.
 *
 * @module
 */
import { loss, NOTHING, number, percent, setting, time } from "./page/format.js";
import { figuresOf, settingsOf } from "./page/series.js";
import type { RunView } from "./run_view.ts";

/** Runs that one comparison may show: the page has 8 colours and 3 kinds of lines. */
export const MAX_COMPARED = 24;

/** A setting or a result of all runs. */
export interface ComparisonRow {
  readonly label: string;
  /** In the order of the runs, as text; `–` where there is none. */
  readonly values: readonly string[];
  /** It is a setting, and not the same in all runs. */
  readonly differs: boolean;
  /** It is a result: which runs have the best one. Empty where all have the same. */
  readonly best: readonly number[];
}

/** A table: a column a run. */
export interface Comparison {
  readonly names: readonly string[];
  readonly rows: readonly ComparisonRow[];
}

/** The settings that are always shown; others only where they differ. */
const SHOWN = ["model", "data", "optimizer", "lr", "batchSize", "epochs"];

/** Settings that are of the run itself, and differ anyway. */
const OWN = ["name", "out"];

type Figures = ReturnType<typeof figuresOf>;

/** The results: which figure, how it is written, and what is best. */
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
  const configs = runs.map(settingsOf), keys = new Set([...SHOWN, ...configs.flatMap(Object.keys)]);
  const settings = [...keys].filter((key) => !OWN.includes(key)).map((key): ComparisonRow => {
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
  const shown = settings.filter(({ label, differs }) => differs || SHOWN.some((key) => kebab(key) === label));
  const rows = [...shown, ...results.filter(({ values }) => values.some((value) => value !== NOTHING))];
  return { names: runs.map(({ name }) => name), rows };
}

/** The places of the best of several values; none where there is nothing to choose. */
function bestOf(values: readonly (number | null)[], pick: (...values: number[]) => number): number[] {
  const known = values.filter((value) => value !== null);
  const best = pick(...known);
  if (known.every((value) => value === best)) return [];
  return values.flatMap((value, i) => value === best ? [i] : []);
}

/** `batchSize` as the flag has it, `batch-size`. */
function kebab(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
