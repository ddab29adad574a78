/**
 * Makes the curves of a run from its lines of metrics. Long curves are thinned out, so that a run of any length needs little
 * memory. The program uses this file to read `metrics.jsonl`, and the live page to add new lines.
 *
 * @module
 */

/** The values that have a curve over the steps. */
export const CURVES = [
  "loss",
  "valLoss",
  "testLoss",
  "valAccuracy",
  "testAccuracy",
  "lr",
  "imagesPerSecond",
  "seconds",
];

/** The most points of a curve that is drawn. */
export const MAX_POINTS = 2000;

/** The most events that are kept; later ones are dropped. */
const MAX_EVENTS = 500;

/**
 * A curve has the points (x[i], y[i]), in the order of x.
 *
 * @typedef {{ x: number[], y: number[] }} Curve
 * @typedef {{ step: number, event: string }} RunEvent
 * @typedef {{ curves: Record<string, Curve>, events: RunEvent[] }} Series
 */

/**
 * Makes curves without points.
 *
 * @returns {Series}
 */
export function noSeries() {
  return { curves: Object.fromEntries(CURVES.map((name) => [name, { x: [], y: [] }])), events: [] };
}

/**
 * Adds a line of metrics. A resumed run repeats some steps: the new points replace the old ones of those steps.
 *
 * @param {Series} series
 * @param {Record<string, unknown>} line
 * @returns {void}
 */
export function addLine({ curves, events }, line) {
  const step = line.step;
  if (typeof step !== "number" || !Number.isFinite(step)) return;
  if (typeof line.event === "string") {
    if (events.length < MAX_EVENTS) events.push({ ...line, step, event: line.event });
    // The run went back to this step, and will repeat those after it.
    if (["restore", "device-lost"].includes(line.event)) {
      for (const curve of Object.values(curves)) cut(curve, step + 1);
    }
    return;
  }
  for (const name of CURVES) {
    const y = line[name], curve = curves[name];
    // A line of an evaluation repeats the time of its step.
    if (typeof y !== "number" || !Number.isFinite(y) || (name === "seconds" && line.loss === undefined)) continue;
    cut(curve, step);
    curve.x.push(step);
    curve.y.push(y);
    if (curve.x.length >= 2 * MAX_POINTS) curves[name] = thin(curve, MAX_POINTS);
  }
}

/**
 * Removes the points from a step on.
 *
 * @param {Curve} curve
 * @param {number} step
 * @returns {void}
 */
function cut({ x, y }, step) {
  while (x.length > 0 && x[x.length - 1] >= step) {
    x.pop();
    y.pop();
  }
}

/**
 * Thins out a curve to at most `count` points (4 or more). It keeps the first and the last point, divides the rest into
 * intervals, and keeps the lowest and the highest point of each, so that no peak is lost.
 *
 * @param {Curve} curve
 * @param {number} count
 * @returns {Curve}
 */
export function thin({ x, y }, count) {
  if (x.length <= count) return { x, y };
  const last = x.length - 1, intervals = Math.floor((count - 2) / 2);
  const kept = [0];
  for (let i = 0; i < intervals; i++) {
    const from = 1 + Math.floor((last - 1) * i / intervals), to = 1 + Math.floor((last - 1) * (i + 1) / intervals);
    let low = from, high = from;
    for (let j = from; j < to; j++) {
      if (y[j] < y[low]) low = j;
      if (y[j] > y[high]) high = j;
    }
    kept.push(Math.min(low, high));
    if (low !== high) kept.push(Math.max(low, high));
  }
  kept.push(last);
  return { x: kept.map((i) => x[i]), y: kept.map((i) => y[i]) };
}

/**
 * The time at which a run finished a step.
 *
 * @param {Curve} seconds the curve `seconds`.
 * @param {number} step
 * @returns {number} in seconds, by linear interpolation or extrapolation.
 */
export function secondsAt({ x, y }, step) {
  const after = x.findIndex((value) => value >= step), to = after < 0 ? x.length - 1 : after;
  if (to < 0) return 0;
  const [x0, y0] = to > 0 ? [x[to - 1], y[to - 1]] : [0, 0];
  return y0 + (y[to] - y0) * (step - x0) / (x[to] - x0 || 1);
}

/**
 * Smooths values by an exponential moving average, with the same bias correction as in Adam. TensorBoard does the same.
 *
 * @param {readonly number[]} values
 * @param {number} decay from 0 (no smoothing) to less than 1.
 * @returns {number[]}
 */
export function smooth(values, decay) {
  let sum = 0, weight = 0;
  return values.map((value) => {
    sum = decay * sum + value;
    weight = decay * weight + 1;
    return sum / weight;
  });
}

/**
 * The settings of a run. If the learning rate was changed while it trained, the value of `lr` says so.
 *
 * @param {{ series: Series, config: Readonly<Record<string, unknown>> }} run
 * @returns {Readonly<Record<string, unknown>>}
 */
export function settingsOf({ series, config }) {
  const changed = series.events.some((line) => line.event === "lr" || "lr" in line);
  return changed ? { ...config, lr: `${config.lr ?? "unknown"}, then changed` } : config;
}

/**
 * The summary of a run in numbers; null if a value is missing.
 *
 * @param {{ series: Series, evaluation?: { loss: number, accuracy: number } }} run
 * @returns {Record<"steps" | "lastLoss" | "bestLoss" | "valLoss" | "valAccuracy" | "testLoss" | "testAccuracy" | "seconds" |
 * "imagesPerSecond", number | null>} accuracies from 0 to 1. For the validation, these are the best values.
 */
export function figuresOf({ series: { curves }, evaluation }) {
  const last = (/** @type {string} */ name) => curves[name]?.y.at(-1) ?? null;
  const of = (/** @type {string} */ name, /** @type {(a: number, b: number) => number} */ pick) =>
    curves[name]?.y.reduce((/** @type {number | null} */ best, y) => best === null ? y : pick(best, y), null) ?? null;
  return {
    steps: Math.max(0, ...Object.values(curves).map(({ x }) => x.at(-1) ?? 0)) || null,
    lastLoss: last("loss"),
    bestLoss: of("loss", Math.min),
    valLoss: of("valLoss", Math.min),
    valAccuracy: of("valAccuracy", Math.max),
    testLoss: evaluation?.loss ?? last("testLoss"),
    testAccuracy: evaluation?.accuracy ?? last("testAccuracy"),
    seconds: last("seconds"),
    imagesPerSecond: last("imagesPerSecond"),
  };
}
