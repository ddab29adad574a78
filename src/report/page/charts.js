/**
 * The charts: uPlot, in the colours of the page. A chart is given curves and draws them; it can be redrawn with others.
 *
 * @module
 */
import { h, panel, tick } from "./dom.js";
import { clock, loss, number, percent, time } from "./format.js";
import { MAX_POINTS, secondsAt, smooth, thin } from "./series.js";

/** Pixels. */
const HEIGHT = 230;

/** How much of the past a smoothed curve keeps from point to point: about a twentieth of `count` points, 20 at most. */
const decayOf = (count) => Math.min(0.95, Math.max(0.6, 1 - 20 / count));

/** Seconds between the ticks of an axis of time. */
const TIMES = [1, 2, 5, 10, 15, 30].flatMap((n) => [n, 60 * n, 3600 * n]).concat(86400, 172800, 432000, 864000)
  .sort((a, b) => a - b);

/** The charts of one run. A curve is [its name, what it is called]. */
const CHARTS = [
  {
    title: "Loss",
    curves: [["loss", "training"], ["valLoss", "validation"], ["testLoss", "test"]],
    format: loss,
    smoothed: "loss",
    logarithmic: true,
  },
  { title: "Accuracy", curves: [["valAccuracy", "validation"], ["testAccuracy", "test"]], format: percent },
  { title: "Learning rate", curves: [["lr", "learning rate"]], format: number, logarithmic: true },
  {
    title: "Throughput (images/s)",
    curves: [["imagesPerSecond", "images/s"]],
    format: (value) => number(Math.round(value)),
    smoothed: "imagesPerSecond",
  },
];

/** The charts of several runs: each has one curve of each run. */
const COMPARED = [
  { ...CHARTS[0], title: "Training loss", curves: [["loss"]] },
  { title: "Validation loss", curves: [["valLoss"]], format: loss, logarithmic: true },
  { title: "Validation accuracy", curves: [["valAccuracy"]], format: percent },
  ...CHARTS.slice(2),
];

/** The curves of one run that have not the first colour, and those that are single points. */
const COLOURS = { valLoss: 2, valAccuracy: 2, testLoss: 3, testAccuracy: 3 };
const POINTS = ["testLoss", "testAccuracy"];

/** The kinds of lines: the first eight of several runs have the first, the next eight the second. */
const LOOKS = ["line", "dashed", "dotted"];

/** The dashes and gaps of a line, in pixels. */
const DASHES = { dashed: [7, 4], dotted: [2, 4] };

/** One of several runs: its colour in the style sheet, and its kind of line. */
const styleOf = (run) => [`--run-${run % 8 + 1}`, LOOKS[Math.floor(run / 8)]];

/** A line as the background of a small box. */
function patch(stroke, look) {
  const full = `var(${stroke})`;
  if (look === "faint") return `color-mix(in srgb, ${full} 35%, transparent)`;
  if (look === "dashed") return `linear-gradient(90deg, ${full} 40%, #0000 0 60%, ${full} 0)`;
  return look === "dotted" ? `repeating-linear-gradient(90deg, ${full} 0 2px, #0000 0 4px)` : full;
}

/** The line of one of several runs as the background of a small box. */
export const patchOf = (run) => patch(...styleOf(run));

/** The value of a colour of the style sheet, as it is now: light, dark or on paper. */
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** All charts on the page, to be redrawn where its colours change. */
const drawn = new Set();

/** Draws all charts in other colours. */
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
 * The panels of all charts. Those without a curve of two points or more are hidden.
 *
 * @param runs what is drawn: `{ name, series }` each.
 * @returns the panels, and what draws them anew after the runs have changed.
 */
export function charts(runs) {
  const made = (runs.length > 1 ? COMPARED : CHARTS).map((chart) => new Chart(chart, runs));
  return { panels: made.map(({ panel }) => panel), update: () => made.forEach((chart) => chart.update()) };
}

class Chart {
  #what;
  #runs;
  #box = h("div.chart");
  #smooth = true;
  #logarithmic = false;
  #byTime = false;
  #uplot;
  /** What the present chart was made for; another needs a new one. */
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
    if (what.smoothed !== undefined) offer("Smooth", true, (on) => this.#smooth = on);
    if (what.logarithmic) offer("Log scale", false, (on) => this.#logarithmic = on);
    if (runs.length > 1) offer("By time", false, (on) => this.#byTime = on);
    this.panel = panel(what.title, { tools }, this.#box);
    new ResizeObserver(() => {
      const width = this.#box.clientWidth;
      if (this.#uplot !== undefined && width > 0 && width !== this.#uplot.width) {
        this.#uplot.setSize({ width, height: HEIGHT });
      }
    }).observe(this.#box);
  }

  /** Draws the runs as they are now. */
  update() {
    const lines = this.#lines();
    this.panel.hidden = !lines.some(({ x }) => x.length > 1);
    if (this.panel.hidden) return;
    // Points of nothing or less have no place on a logarithmic scale.
    const shown = (y) => this.#logarithmic ? y.map((value) => value > 0 ? value : null) : y;
    // Copied, since the curves grow, and what is drawn is compared with what it was.
    const data = uPlot.join(lines.map(({ x, y }) => [x.slice(), shown(y)]));
    const made = JSON.stringify([this.#logarithmic, this.#byTime, lines.map(({ label, look }) => [label, look])]);
    if (made === this.#made) {
      // Who looks at a part goes on seeing that part.
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

  /** What is drawn, in order: each run's curves, a smoothed one over its own values. */
  #lines() {
    const { curves, smoothed: noisy } = this.#what, several = this.#runs.length > 1;
    return this.#runs.flatMap(({ name, series }, run) =>
      curves.flatMap(([key, kind]) => {
        const { x: steps, y } = thin(series.curves[key], MAX_POINTS);
        if (steps.length === 0) return [];
        const x = this.#byTime ? steps.map((step) => secondsAt(series.curves.seconds, step)) : steps;
        const [stroke, style] = several ? styleOf(run) : [`--curve-${COLOURS[key] ?? 1}`, "line"];
        const look = POINTS.includes(key) ? "points" : style;
        const line = { label: several ? name : kind, stroke, look, x, y };
        if (key !== noisy || !this.#smooth || x.length < 8) return [line];
        const smoothed = { ...line, y: smooth(y, decayOf(x.length)) };
        // What was measured shows faintly behind; of several runs that would be too much: there the legend alone says it.
        return several
          ? [{ ...smoothed, measured: new Map(x.map((x, i) => [x, y[i]])) }]
          : [{ ...line, look: "faint" }, { ...smoothed, label: `${kind}, smoothed` }];
      })
    );
  }

  #options(lines) {
    const { format } = this.#what, byTime = this.#byTime;
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
        sync: { key: byTime ? "seconds" : "steps" },
        y: false,
        points: { size: 7 },
        dataIdx: ({ data }, i, place) => nearest(data[i], place),
      },
      axes: [
        {
          ...axis,
          label: byTime ? "time" : "step",
          labelSize: 18,
          size: 34,
          gap: 8,
          values: (_, ticks) => byTime ? ticks.map(clock) : short(ticks),
          ...(byTime && { incrs: TIMES }),
        },
        {
          ...axis,
          size: 56,
          gap: 6,
          values: (_, ticks) =>
            ticks.map((value) => value === null ? "" : format === percent ? `${number(100 * value)} %` : number(value)),
        },
      ],
      series: [
        { label: byTime ? "time" : "step", value: (_, value) => byTime ? time(value) : number(value) },
        ...lines.map(({ label, stroke, look, x, measured }) => ({
          label,
          stroke: () => look === "faint" ? `${colour(stroke)}59` : colour(stroke),
          width: look === "points" ? 0 : look === "faint" ? 1 : 2,
          dash: DASHES[look],
          spanGaps: true,
          points: {
            show: look === "points" || (look !== "faint" && x.length <= 40),
            size: look === "points" ? 10 : 6,
            fill: () => colour(stroke),
          },
          value: ({ data }, value, _, i) => {
            if (value === null || value === undefined) return "–";
            const own = measured?.get(data[0][i]);
            return own === undefined ? format(value) : `${format(own)} (smoothed ${format(value)})`;
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

  /** Upright lines where a run was resumed or its learning rate was changed. */
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

  /** The chart in words. */
  #description(lines) {
    const { format, title } = this.#what, at = (x) => this.#byTime ? `at ${time(x)}` : `at step ${number(x)}`;
    const parts = lines.filter(({ look }) => look !== "faint").map(({ label, x, y, measured = new Map() }) => {
      const [first, last] = [0, -1].map((i) => `${format(measured.get(x.at(i)) ?? y.at(i))} ${at(x.at(i))}`);
      return `${label} from ${first} to ${last}`;
    });
    return `${title} over ${this.#byTime ? "time" : "steps"}: ${parts.join("; ")}`;
  }
}

/** The place nearest to `place` that has a value. */
function nearest(values, place) {
  for (let far = 0; far < values.length; far++) {
    for (const i of [place - far, place + far]) if (values[i] !== undefined && values[i] !== null) return i;
  }
  return place;
}

/** Has the legend say the last values, where the reader points nowhere. */
function showLast(chart) {
  if (typeof chart.cursor.idx === "number") return;
  chart.setLegend({ idxs: chart.data.map((values) => nearest(values, values.length - 1)) }, false);
}

/** `5k`, `12k`: as short as labels of an axis must be, and all in the unit of the last. */
function short(ticks) {
  const most = Math.max(...ticks), [divisor, unit] = most >= 1e6 ? [1e6, "M"] : most >= 1e4 ? [1e3, "k"] : [1, ""];
  return ticks.map((value) => value === null ? "" : `${number(value / divisor)}${value === 0 ? "" : unit}`);
}
