/**
 * The curves of a run: lines of metrics in, points out, thinned so that a run of any length takes little memory. Both the
 * program, which reads `metrics.jsonl`, and the page, which is told of new lines, use this file.
 *
 * @module
 */

/** What is drawn over steps. */
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

/** The most points that a curve is drawn with. */
export const MAX_POINTS = 2000;

/** The most events that are kept, the first ones. */
const MAX_EVENTS = 500;

/**
 * Points with rising x: y[i] at x[i].
 *
 * @typedef {{ x: number[], y: number[] }} Curve
 * @typedef {{ step: number, event: string }} RunEvent
 * @typedef {{ curves: Record<string, Curve>, events: RunEvent[] }} Series
 */

/**
 * No points yet.
 *
 * @returns {Series}
 */
export function noSeries() {
  return { curves: Object.fromEntries(CURVES.map((name) => [name, { x: [], y: [] }])), events: [] };
}

/**
 * Adds a line of metrics. A run that was resumed does steps again: then what there is of them from before goes.
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
    // The run went back: the steps after this one are still to come.
    if (["restore", "device-lost"].includes(line.event)) {
      for (const curve of Object.values(curves)) cut(curve, step + 1);
    }
    return;
  }
  for (const name of CURVES) {
    const y = line[name], curve = curves[name];
    // The time of an evaluation would repeat that of its step.
    if (typeof y !== "number" || !Number.isFinite(y) || (name === "seconds" && line.loss === undefined)) continue;
    cut(curve, step);
    curve.x.push(step);
    curve.y.push(y);
    if (curve.x.length >= 2 * MAX_POINTS) curves[name] = thin(curve, MAX_POINTS);
  }
}

/**
 * Drops the points from a step on.
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
 * At most `count` of a curve's points (4 or more): the first, the last, and of each stretch between them the lowest and the
 * highest, so that no peak is lost.
 *
 * @param {Curve} curve
 * @param {number} count
 * @returns {Curve}
 */
export function thin({ x, y }, count) {
  if (x.length <= count) return { x, y };
  const last = x.length - 1, stretches = Math.floor((count - 2) / 2);
  const kept = [0];
  for (let i = 0; i < stretches; i++) {
    const from = 1 + Math.floor((last - 1) * i / stretches), to = 1 + Math.floor((last - 1) * (i + 1) / stretches);
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
 * When a run did a step.
 *
 * @param {Curve} seconds the curve of that name: the time that the steps took.
 * @param {number} step
 * @returns {number} in seconds; between and beyond what was measured, as if all steps took the same time.
 */
export function secondsAt({ x, y }, step) {
  const after = x.findIndex((one) => one >= step), to = after < 0 ? x.length - 1 : after;
  if (to < 0) return 0;
  const [x0, y0] = to > 0 ? [x[to - 1], y[to - 1]] : [0, 0];
  return y0 + (y[to] - y0) * (step - x0) / (x[to] - x0 || 1);
}

/**
 * Smooths values by an exponential average of each and those before it, corrected for its start as Adam's are. It is what
 * TensorBoard draws.
 *
 * @param {readonly number[]} values
 * @param {number} decay from 0, which changes nothing, to below 1.
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
 * The settings of a run; its learning rate says so where another was set on the way.
 *
 * @param {{ series: Series, config: Readonly<Record<string, unknown>> }} run
 * @returns {Readonly<Record<string, unknown>>}
 */
export function settingsOf({ series, config }) {
  const changed = series.events.some((line) => line.event === "lr" || "lr" in line);
  return changed ? { ...config, lr: `${config.lr ?? "unknown"}, then changed` } : config;
}

/**
 * The figures that sum a run up; null where there is none.
 *
 * @param {{ series: Series, evaluation?: { loss: number, accuracy: number } }} run
 * @returns {Record<"steps" | "lastLoss" | "bestLoss" | "valLoss" | "valAccuracy" | "testLoss" | "testAccuracy" | "seconds" |
 * "imagesPerSecond", number | null>} accuracies from 0 to 1. Of the validations it is the best of each.
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
