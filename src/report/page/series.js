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
  "accuracy",
  "valAccuracy",
  "testAccuracy",
  "lr",
  "imagesPerSecond",
  "seconds",
];

/** Those of the tests. */
const TESTS = ["testLoss", "testAccuracy"];

/** The most points of a curve that is drawn. */
export const MAX_POINTS = 2000;

/** The most events that are kept; later ones are dropped. */
const MAX_EVENTS = 500;

/**
 * A curve has the points (x[i], y[i]), in the order of x.
 *
 * @typedef {{ x: number[], y: number[] }} Curve
 * The first line after a start is not counted in a `Span`, since its time includes compiling the kernels: `from` is the step of
 * that line, and `at` its time in seconds.
 *
 * @typedef {{ step: number, event: string, why?: unknown, diverged?: unknown }} RunEvent
 * @typedef {{ from: number, at: number, to: number, seconds: number }} Span
 * @typedef {{ epoch: number, sum: number, steps: number, last: number }} EpochLoss
 * @typedef {{ curves: Record<string, Curve>, events: RunEvent[], spans: Span[], epoch: EpochLoss, testedAt: number }} Series
 * @typedef {Readonly<Record<string, unknown>>} Settings
 */

/**
 * Makes curves without points.
 *
 * @returns {Series}
 */
export function noSeries() {
  return {
    curves: Object.fromEntries(CURVES.map((name) => [name, { x: [], y: [] }])),
    events: [],
    spans: [],
    epoch: { epoch: 0, sum: 0, steps: 0, last: 0 },
    testedAt: 0,
  };
}

/** The events after which a process starts to train, or another device does: its kernels are compiled first. */
const STARTS = ["resume", "restore", "device-lost"];

/** The most spans that are kept; a run that is resumed more often drops the oldest. */
const MAX_SPANS = 500;

/**
 * Adds a line of metrics. A resumed run repeats some steps: the new points replace the old ones of those steps.
 *
 * @param {Series} series
 * @param {Record<string, unknown>} line
 * @returns {void}
 */
export function addLine(series, line) {
  const { curves, events } = series, step = line.step;
  if (typeof step !== "number" || !Number.isFinite(step)) return;
  if (typeof line.event === "string") {
    if (events.length < MAX_EVENTS) events.push({ ...line, step, event: line.event });
    if (STARTS.includes(line.event)) restart(series, step);
    // The run went back to this step, and will repeat those after it.
    if (["restore", "device-lost"].includes(line.event)) {
      for (const curve of Object.values(curves)) cut(curve, step + 1);
    }
    return;
  }
  if (typeof line.loss === "number" && Number.isFinite(line.loss)) addInterval(series, step, line.loss, line);
  if (typeof line.testLoss === "number") series.testedAt = step;
  for (const name of CURVES) {
    const y = line[name], curve = curves[name];
    // The best weights are those of an earlier step than that of the test.
    const x = typeof line.weightsStep === "number" && TESTS.includes(name) ? line.weightsStep : step;
    // A line of an evaluation repeats the time of its step.
    if (typeof y !== "number" || !Number.isFinite(y) || (name === "seconds" && line.loss === undefined)) continue;
    cut(curve, x);
    curve.x.push(x);
    curve.y.push(y);
    if (curve.x.length >= 2 * MAX_POINTS) curves[name] = thin(curve, MAX_POINTS);
  }
}

/**
 * The run trains again from a step: its time is measured anew, and the steps from there on count instead of those before.
 *
 * @param {Series} series
 * @param {number} step
 * @returns {void}
 */
function restart({ spans, epoch }, step) {
  spans.push({ from: step, at: NaN, to: step, seconds: 0 });
  if (spans.length > MAX_SPANS) spans.shift();
  if (epoch.last > step) Object.assign(epoch, { sum: 0, steps: 0 });
  epoch.last = step;
}

/**
 * Adds an interval of steps to the mean loss of its epoch, and to the time that is measured. A line that was added before is
 * left out: a live page may receive lines twice.
 *
 * @param {Series} series
 * @param {number} step the end of the interval.
 * @param {number} loss its mean.
 * @param {Record<string, unknown>} line
 * @returns {void}
 */
function addInterval({ spans, epoch: mean }, step, loss, { epoch = 0, seconds }) {
  if (step > mean.last) {
    if (mean.epoch !== epoch) Object.assign(mean, { epoch, sum: 0, steps: 0 });
    mean.sum += loss * (step - mean.last);
    mean.steps += step - mean.last;
    mean.last = step;
  }
  if (typeof seconds !== "number") return;
  if (spans.length === 0) spans.push({ from: step, at: NaN, to: step, seconds: 0 });
  const span = spans[spans.length - 1];
  // JSON has null for NaN.
  if (span.at === null || Number.isNaN(span.at)) Object.assign(span, { from: step, at: seconds, to: step });
  else if (step > span.to) Object.assign(span, { to: step, seconds: seconds - span.at });
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
 * @param {{ series: Series, config: Settings }} run
 * @returns {Settings}
 */
export function settingsOf({ series, config }) {
  const changed = series.events.some((line) => line.event === "lr" || "lr" in line);
  return changed ? { ...config, lr: `${config.lr ?? "unknown"}, then changed` } : config;
}

/**
 * Why a run has failed; undefined if it has not, or has trained again since.
 *
 * @param {Series} series
 * @returns {{ state: "diverged" | "failed", step: number, why: string } | undefined}
 */
export function failureOf({ events }) {
  const last = events[events.length - 1];
  if (last === undefined || last.event !== "failed") return undefined;
  return { state: last.diverged === true ? "diverged" : "failed", step: last.step, why: String(last.why ?? "unknown") };
}

/**
 * How many images the steps of a run take; null where the run does not say.
 *
 * @param {{ config?: Settings, environment?: Settings }} run
 * @returns {{ stepImages: number | null, epochImages: number | null, stepsPerEpoch: number | null }}
 */
export function sizesOf({ config = {}, environment = {} }) {
  const positive = (/** @type {unknown} */ value) => typeof value === "number" && value > 0 ? value : null;
  const batch = positive(config.batchSize),
    stepImages = batch === null ? null : batch * (positive(config.accumulate) ?? 1);
  const data = /** @type {Settings} */ (Object(environment.data)), epochImages = positive(data.images);
  const known = stepImages !== null && epochImages !== null;
  return { stepImages, epochImages, stepsPerEpoch: known ? Math.ceil(epochImages / stepImages) : null };
}

/**
 * The number of images in the first steps of a run; null where the run does not say. The last step of an epoch may be smaller.
 *
 * @param {{ config?: Settings, environment?: Settings }} run
 * @param {number} steps
 * @returns {number | null}
 */
export function imagesIn(run, steps) {
  const { stepImages, epochImages, stepsPerEpoch } = sizesOf(run);
  if (stepImages === null) return null;
  if (epochImages === null || stepsPerEpoch === null) return steps * stepImages;
  const epochs = Math.floor(steps / stepsPerEpoch);
  return epochs * epochImages + Math.min((steps % stepsPerEpoch) * stepImages, epochImages);
}

/**
 * The images per second of the whole run, without the first lines after each start, whose time includes compiling kernels.
 *
 * @param {{ series: Series, config?: Settings, environment?: Settings }} run
 * @returns {number | null} null if that is not known yet.
 */
function throughputOf(run) {
  let images = 0, seconds = 0;
  for (const span of run.series.spans) {
    images += (imagesIn(run, span.to) ?? NaN) - (imagesIn(run, span.from) ?? NaN);
    seconds += span.seconds;
  }
  return seconds > 0 && Number.isFinite(images) ? images / seconds : null;
}

/**
 * The accuracy of always predicting the most frequent class of the images; null without the counts.
 *
 * @param {{ images: number, confusion?: readonly (readonly number[])[] } | undefined} evaluation
 * @returns {number | null}
 */
export function chanceOf(evaluation) {
  const sums = evaluation?.confusion?.map((row) => row.reduce((sum, count) => sum + count, 0)) ?? [];
  const all = sums.reduce((sum, count) => sum + count, 0);
  return all > 0 ? Math.max(...sums) / all : null;
}

/**
 * The summary of a run in numbers; null if a value is missing. Every page takes its figures from here.
 *
 * @param {{ series: Series, config?: Settings, environment?: Settings, evaluation?: { loss: number, accuracy: number,
 * images: number, confusion?: readonly (readonly number[])[] } }} run
 * @returns {Record<"steps" | "epoch" | "trainLoss" | "valLoss" | "valAccuracy" | "testLoss" | "testAccuracy" | "chance" |
 * "seconds" | "imagesPerSecond", number | null>} accuracies from 0 to 1. `trainLoss` is the mean of all steps so far of the
 * epoch `epoch`; the validation values are the best ones; `imagesPerSecond` is the mean of the run without its warm-up.
 */
export function figuresOf(run) {
  const { series: { curves, epoch }, evaluation } = run;
  const last = (/** @type {string} */ name) => curves[name]?.y.at(-1) ?? null;
  const of = (/** @type {string} */ name, /** @type {(a: number, b: number) => number} */ pick) =>
    curves[name]?.y.reduce((/** @type {number | null} */ best, y) => best === null ? y : pick(best, y), null) ?? null;
  return {
    steps: Math.max(0, ...Object.values(curves).map(({ x }) => x.at(-1) ?? 0)) || null,
    epoch: epoch.epoch || null,
    trainLoss: epoch.steps > 0 ? epoch.sum / epoch.steps : null,
    valLoss: of("valLoss", Math.min),
    valAccuracy: of("valAccuracy", Math.max),
    testLoss: evaluation?.loss ?? last("testLoss"),
    testAccuracy: evaluation?.accuracy ?? last("testAccuracy"),
    chance: chanceOf(evaluation),
    seconds: last("seconds"),
    imagesPerSecond: throughputOf(run),
  };
}
