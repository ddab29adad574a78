/**
 * The charts, drawn by uPlot in the colours of the page. A chart can be drawn again when its curves have changed.
 *
 * @module
 */
import { h, panel, tick } from "./dom.js";
import { clock, loss, number, percent, tickLabels, time } from "./format.js";
import { imagesIn, MAX_POINTS, secondsAt, sizesOf, smooth, thin } from "./series.js";

/** The height of a chart in pixels. */
const HEIGHT = 230;

/** The decay of the moving average: a smoothed curve averages over about a twentieth of its `count` points, 20 at most. */
const decayOf = (count) => Math.min(0.95, Math.max(0.6, 1 - 20 / count));

/** Possible distances between the ticks of a time axis, in seconds. */
const TIMES = [1, 2, 5, 10, 15, 30].flatMap((n) => [n, 60 * n, 3600 * n]).concat(86400, 172800, 432000, 864000)
  .sort((a, b) => a - b);

/** The charts of one run. A curve is [the key in the metrics, its label]. `folds`: it says little if it is constant. */
const CHARTS = [
  {
    title: "Accuracy",
    curves: [["accuracy", "training"], ["valAccuracy", "validation"], ["testAccuracy", "test"]],
    format: percent,
    smoothed: "accuracy",
  },
  {
    title: "Loss",
    curves: [["loss", "training"], ["valLoss", "validation"], ["testLoss", "test"]],
    format: loss,
    smoothed: "loss",
    logarithmic: true,
  },
  { title: "Learning rate", curves: [["lr", "learning rate"]], format: number, logarithmic: true, stepped: true },
  {
    title: "Throughput (images/s, as measured)",
    curves: [["imagesPerSecond", "images/s"]],
    format: (value) => number(Math.round(value)),
    smoothed: "imagesPerSecond",
  },
];

/** The charts of several runs: each has one curve per run. */
const COMPARED = [
  { ...CHARTS[1], title: "Training loss", curves: [["loss"]] },
  { ...CHARTS[0], title: "Training accuracy", curves: [["accuracy"]] },
  { title: "Validation accuracy", curves: [["valAccuracy"]], format: percent },
  { title: "Validation loss", curves: [["valLoss"]], format: loss, logarithmic: true },
  ...CHARTS.slice(2),
];

/**
 * What an x axis can count. `at` gives the position of a step of a run; the axis is offered only if all runs have a position.
 * `title` is the end of a title, as in "over epochs".
 */
const AXES = {
  epochs: { label: "epoch", title: "epochs", value: number, at: epochAt },
  images: { label: "images", title: "images", value: (x) => number(Math.round(x)), at: imagesIn },
  steps: { label: "step", title: "steps", value: number, at: (_, step) => step },
  time: { label: "time", title: "time", value: time, at: ({ series }, step) => secondsAt(series.curves.seconds, step) },
};

/** The number of epochs after a step of a run, with a fraction; null if the run does not say. */
function epochAt(run, step) {
  const { epochImages } = sizesOf(run);
  return epochImages === null ? null : imagesIn(run, step) / epochImages;
}

/** The colours of those curves of one run that do not have the first colour, and the curves that are drawn as points. */
const COLOURS = { valLoss: 2, valAccuracy: 2, testLoss: 3, testAccuracy: 3 };
const POINTS = ["testLoss", "testAccuracy"];

/** The kinds of lines: the first eight runs have the first kind, the next eight the second. */
const LOOKS = ["line", "dashed", "dotted"];

/** The dashes and gaps of a line, in pixels. */
const DASHES = { dashed: [7, 4], dotted: [2, 4] };

/** The colour in the style sheet, and the kind of line, for one of several runs. */
const styleOf = (run) => [`--run-${run % 8 + 1}`, LOOKS[Math.floor(run / 8)]];

/** The background of a small box that looks like a line. */
function patch(stroke, look) {
  const full = `var(${stroke})`;
  if (look === "faint") return `color-mix(in srgb, ${full} 35%, transparent)`;
  if (look === "dashed") return `linear-gradient(90deg, ${full} 40%, #0000 0 60%, ${full} 0)`;
  return look === "dotted" ? `repeating-linear-gradient(90deg, ${full} 0 2px, #0000 0 4px)` : full;
}

/** The background of a small box that looks like the line of one of several runs. */
export const patchOf = (run) => patch(...styleOf(run));

/** The present value of a colour in the style sheet, which differs for light, dark and print. */
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** All charts on the page. They are drawn again when the colours change. */
const drawn = new Set();

/** Draws all charts again, in the present colours. */
function recolour() {
  for (const chart of drawn) chart.redraw(false);
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", recolour);
addEventListener("beforeprint", () => {
  document.documentElement.dataset.paper = "";
  recolour();
});
addEventListener("afterprint", () => {
  delete document.documentElement.dataset.paper;
  recolour();
});

/**
 * Makes the panels of all charts. A chart is hidden until one of its curves has two points.
 *
 * @param runs the runs to draw, each with `name`, `series`, `config` and `environment`.
 * @returns the charts by the first word of their titles, and a function that draws them again after the runs have changed. For
 * several runs there is also a box to choose the x axis of all charts; at first it counts epochs, if all runs have them.
 */
export function charts(runs) {
  const several = runs.length > 1, made = (several ? COMPARED : CHARTS).map((chart) => new Chart(chart, runs));
  const update = () => made.forEach((chart) => chart.update());
  const panels = made.map(({ panel }) => panel);
  if (!several) return { panels, accuracy: made[0], loss: made[1], rate: made[2], throughput: made[3], update };
  const axes = Object.keys(AXES).filter((axis) => runs.every((run) => AXES[axis].at(run, 1) !== null));
  const show = (axis) => made.forEach((chart) => chart.axis = axis);
  const options = axes.map((axis) => h("option", { value: axis }, axis));
  const select = h("select", { onchange: ({ target }) => (show(target.value), update()) }, ...options);
  show(axes[0]);
  return { panels, axis: h("label.axis", {}, "Horizontal axis", select), update };
}

class Chart {
  /** What the x axis counts: a key of `AXES`. */
  axis = "steps";
  #what;
  #runs;
  #box = h("div.chart");
  #smooth = true;
  #logarithmic = false;
  #uplot;
  /** The options of the present uPlot chart, as JSON. Other options need a new chart. */
  #made = "";

  constructor(what, runs) {
    this.#what = what;
    this.#runs = runs;
    const tools = h("div.tools");
    const offer = (label, on, set) =>
      tools.append(tick(label, on, (on) => {
        set(on);
        this.update();
      }));
    // The mean of values that differ by orders of magnitude is that of the largest.
    const isHuge = runs.some((run) => this.#isHuge(run));
    this.#smooth = !isHuge;
    if (what.smoothed !== undefined) offer("Smooth", this.#smooth, (on) => this.#smooth = on);
    this.#logarithmic = what.logarithmic === true && isHuge;
    if (what.logarithmic) offer("Log scale", this.#logarithmic, (on) => this.#logarithmic = on);
    this.panel = panel(what.title, { tools }, this.#box);
    new ResizeObserver(() => {
      const width = this.#box.clientWidth;
      if (this.#uplot !== undefined && width > 0 && width !== this.#uplot.width) {
        this.#uplot.setSize({ width, height: HEIGHT });
      }
    }).observe(this.#box);
  }

  /** Whether a run has values so large that a linear scale would show nothing else, as of a run that diverges. */
  #isHuge({ series }) {
    return this.#what.curves.some(([key]) => series.curves[key].y.some((value) => value >= 1e5));
  }

  /** Whether the curves of the only run never change. */
  get isConstant() {
    const [{ series }] = this.#runs;
    return this.#what.curves.every(([key]) => series.curves[key].y.every((value, _, [first]) => value === first));
  }

  /** Draws the runs as they are now. */
  update() {
    const lines = this.#lines();
    this.panel.hidden = !lines.some(({ x }) => x.length > 1);
    if (this.panel.hidden) return;
    // A logarithmic scale cannot show values of 0 or less.
    const shown = (y) => this.#logarithmic ? y.map((value) => value > 0 ? value : null) : y;
    // Copied, because the curves grow, and the next update compares with the data drawn now.
    const data = uPlot.join(lines.map(({ x, y }) => [x.slice(), shown(y)]));
    const made = JSON.stringify([this.#logarithmic, this.axis, lines.map(({ label, look }) => [label, look])]);
    if (made === this.#made) {
      // If the reader has zoomed in, keep the zoom.
      const { scales: { x: { min, max } }, data: [steps] } = this.#uplot, part = min > steps[0] || max < steps.at(-1);
      this.#uplot.setData(data, !part);
      if (part) this.#uplot.redraw();
    } else {
      drawn.delete(this.#uplot);
      this.#uplot?.destroy();
      this.#uplot = new uPlot(this.#options(lines), data, this.#box);
      this.#made = made;
      drawn.add(this.#uplot);
    }
    this.#uplot.ctx.canvas.setAttribute("role", "img");
    this.#uplot.ctx.canvas.setAttribute("aria-label", this.#description(lines));
  }

  /** The lines to draw, in order: the curves of each run, with a smoothed curve on top of its measured values. */
  #lines() {
    const { curves, smoothed: noisy } = this.#what, several = this.#runs.length > 1;
    return this.#runs.flatMap((run, i) =>
      curves.flatMap(([key, kind]) => {
        const { name, series } = run, { x: steps, y } = thin(series.curves[key], MAX_POINTS);
        if (steps.length === 0) return [];
        const x = steps.map((step) => AXES[this.axis].at(run, step));
        const [stroke, style] = several ? styleOf(i) : [`--curve-${COLOURS[key] ?? 1}`, "line"];
        const look = POINTS.includes(key) ? "points" : style;
        const line = { label: several ? name : kind, stroke, look, x, y };
        if (key !== noisy || !this.#smooth || x.length < 8) return [line];
        const smoothed = { ...line, y: smooth(y, decayOf(x.length)) };
        // The measured values are drawn faintly behind. For several runs that would be too much; there, only the legend has them.
        return several
          ? [{ ...smoothed, measured: new Map(x.map((x, i) => [x, y[i]])) }]
          : [{ ...line, look: "faint" }, { ...smoothed, label: `${kind}, smoothed` }];
      })
    );
  }

  #options(lines) {
    const { format, stepped } = this.#what, { label, value } = AXES[this.axis], byTime = this.axis === "time";
    const axis = {
      stroke: () => colour("--muted"),
      grid: { stroke: () => colour("--line"), width: 1 },
      ticks: { show: false },
      font: "12px system-ui, sans-serif",
      labelFont: "12px system-ui, sans-serif",
    };
    return {
      width: this.#box.clientWidth || 320,
      height: HEIGHT,
      padding: [10, 16, 0, 0],
      scales: { x: { time: false }, y: { distr: this.#logarithmic ? 3 : 1 } },
      cursor: {
        sync: { key: this.axis },
        y: false,
        points: { size: 7 },
        dataIdx: ({ data }, i, index) => nearest(data[i], index),
      },
      axes: [
        {
          ...axis,
          label,
          labelSize: 18,
          size: 34,
          gap: 8,
          values: (_, ticks) => byTime ? ticks.map(clock) : short(ticks),
          ...(byTime && { incrs: TIMES }),
        },
        {
          ...axis,
          ...(this.#logarithmic && { filter: powers, grid: { ...axis.grid, filter: powers } }),
          size: 56,
          gap: 6,
          values: (_, ticks) =>
            format === percent
              ? ticks.map((value) => value === null ? "" : `${number(100 * value)} %`)
              : tickLabels(ticks),
        },
      ],
      series: [
        { label, value: (_, x) => x === null ? "–" : value(x) },
        ...lines.map(({ label, stroke, look, x, measured }) => ({
          label,
          stroke: () => look === "faint" ? `${colour(stroke)}59` : colour(stroke),
          width: look === "points" ? 0 : look === "faint" ? 1 : 2,
          dash: DASHES[look],
          spanGaps: true,
          // A line of metrics has the rate of its last step, so the rate is drawn from the line before on.
          ...(stepped && { paths: uPlot.paths.stepped({ align: -1 }) }),
          points: {
            show: look === "points" || (look !== "faint" && x.length <= 40),
            size: look === "points" ? 10 : 6,
            fill: () => colour(stroke),
          },
          value: ({ data }, value, _, i) => {
            if (value === null || value === undefined) return "–";
            const raw = measured?.get(data[0][i]);
            return raw === undefined ? format(value) : `${format(raw)} (smoothed ${format(value)})`;
          },
        })),
      ],
      legend: {
        markers: {
          fill: (_, i) => {
            const { stroke, look } = lines[i - 1] ?? {};
            return patch(stroke, look);
          },
        },
      },
      hooks: {
        drawClear: [(chart) => this.#drawEvents(chart)],
        ready: [showLast],
        setData: [showLast],
        setCursor: [showLast],
      },
    };
  }

  /** Draws a vertical line where a run was resumed or its learning rate was changed. */
  #drawEvents({ ctx, bbox, valToPos, scales }) {
    ctx.save();
    ctx.strokeStyle = colour("--muted");
    ctx.setLineDash([2 * devicePixelRatio, 4 * devicePixelRatio]);
    ctx.lineWidth = devicePixelRatio;
    for (const { step } of this.#runs.length > 1 ? [] : this.#runs[0].series.events) {
      if (step < scales.x.min || step > scales.x.max) continue;
      const x = Math.round(valToPos(step, "x", true));
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
    }
    ctx.restore();
  }

  /** Describes the chart in words, for screen readers. */
  #description(lines) {
    const { format, title } = this.#what, { label: unit, title: over, value } = AXES[this.axis];
    const at = (x) => `at ${unit === "time" ? "" : `${unit} `}${value(x)}`;
    const parts = lines.filter(({ look }) => look !== "faint").map(({ label, x, y, measured = new Map() }) => {
      const [first, last] = [0, -1].map((i) => `${format(measured.get(x.at(i)) ?? y.at(i))} ${at(x.at(i))}`);
      return `${label} from ${first} to ${last}`;
    });
    return `${title} over ${over}: ${parts.join("; ")}`;
  }
}

/** The index nearest to `index` that has a value. */
function nearest(values, index) {
  for (let distance = 0; distance < values.length; distance++) {
    for (const i of [index - distance, index + distance]) if (values[i] !== undefined && values[i] !== null) return i;
  }
  return index;
}

/** Shows the last values in the legend while the mouse is not over the chart. */
function showLast(chart) {
  if (typeof chart.cursor.idx === "number") return;
  chart.setLegend({ idxs: chart.data.map((values) => nearest(values, values.length - 1)) }, false);
}

/** The ticks of a logarithmic axis that have a label: at most six powers of ten, or all if these are too few. */
function powers(_, ticks) {
  const isPower = (value) => Math.abs(Math.log10(value) - Math.round(Math.log10(value))) < 1e-6;
  const all = ticks.filter(isPower), every = Math.ceil(all.length / 6);
  return all.length < 2 ? ticks : ticks.map((value) => all.indexOf(value) % every === 0 ? value : null);
}

/** Short labels for the ticks of an axis, such as `5k` and `12k`, all in the unit of the largest. */
function short(ticks) {
  const most = Math.max(...ticks), [divisor, unit] = most >= 1e6 ? [1e6, "M"] : most >= 1e4 ? [1e3, "k"] : [1, ""];
  return ticks.map((value) => value === null ? "" : `${number(value / divisor)}${value === 0 ? "" : unit}`);
}
