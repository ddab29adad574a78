/**
 * The parts of the page other than the charts, each made from the view of a run.
 *
 * @module
 */
import { patchOf } from "./charts.js";
import { h, panel } from "./dom.js";
import { loss, NOTHING, number, percent, setting, time } from "./format.js";
import { figuresOf } from "./series.js";

/** The text and the colour of each state. */
const STATES = {
  running: ["running", "good"],
  paused: ["paused", "warn"],
  stopping: ["stopping", "warn"],
  testing: ["testing", "good"],
  finished: ["finished", "done"],
  failed: ["failed", "bad"],
  stopped: ["not finished", "warn"],
};

/** A state as a small label. */
export function stateLabel(state) {
  const [text, look] = STATES[state] ?? [state, "warn"];
  return h(`span.state.${look}`, {}, text);
}

/** The summary of a run in numbers. The first one is the main result. */
export function figures(run) {
  const of = figuresOf(run), { testAccuracy, valAccuracy } = of;
  const main = testAccuracy === null && valAccuracy !== null
    ? ["Best validation accuracy", percent(valAccuracy, 2)]
    : ["Last test accuracy", percent(testAccuracy, 2)];
  const rows = [
    main,
    ["Test loss", loss(of.testLoss)],
    ...(testAccuracy !== null && valAccuracy !== null ? [["Best validation", percent(valAccuracy, 2)]] : []),
    ["Last training loss", loss(of.lastLoss)],
    ["Steps", number(of.steps)],
    ["Training time", time(of.seconds)],
    ["Images per second", of.imagesPerSecond === null ? NOTHING : number(Math.round(of.imagesPerSecond))],
  ];
  return h("dl.figures", {}, ...rows.map(([label, value]) => h("div", {}, h("dt", {}, label), h("dd", {}, value))));
}

/** The accuracy of each class as bars, for one run or several. */
export function perClass(runs) {
  const tested = runs.map((run, i) => ({ ...run, i })).filter(({ evaluation }) => evaluation !== undefined);
  if (tested.length === 0) return undefined;
  const classes = tested[0].evaluation.classes;
  const same = tested.filter(({ evaluation }) => evaluation.classes.join("\n") === classes.join("\n"));
  const bar = ({ evaluation, name, i }, label) => {
    const share = evaluation.perClass[label];
    return h(
      "div.bar",
      { title: runs.length > 1 ? name : undefined },
      h(
        "span.track",
        {},
        h("span.fill", {
          style: {
            width: `${100 * (share ?? 0)}%`,
            background: runs.length > 1 ? patchOf(i) : "var(--curve-1)",
          },
        }),
      ),
      h("span.value", {}, share === null ? "no images" : percent(share)),
    );
  };
  const rows = classes.map((name, label) =>
    h("div", {}, h("dt", {}, name), h("dd", {}, ...same.map((run) => bar(run, label))))
  );
  const note = runs.length > 1 ? "The bars have the colours of the runs." : `On ${imagesOf(tested[0].evaluation)}.`;
  const names = `${Math.max(...classes.map(({ length }) => length))}ch`;
  return panel(
    "Accuracy by class",
    { note, wide: runs.length > 1 || classes.length > 16 },
    h("dl.bars", { style: { "--names": names } }, ...rows),
  );
}

function imagesOf({ images, split }) {
  return `${number(images)} ${split} images`;
}

/** The confusion matrix as a table: rows are the true classes, columns the predicted classes. */
export function confusion({ evaluation }) {
  if (evaluation === undefined) return undefined;
  const { classes, confusion } = evaluation;
  const rows = confusion.map((counts, label) => {
    const sum = counts.reduce((sum, count) => sum + count, 0) || 1;
    const cells = counts.map((count, predicted) => {
      // The square root makes rare mistakes visible. From 0.82 and 0.86 on, white text is more readable on the colours of
      // the style sheet than black text.
      const strength = Math.sqrt(count / sum), right = label === predicted;
      const look = `${right ? ".right" : ".wrong"}${strength > (right ? 0.82 : 0.86) ? ".strong" : ""}${
        count === 0 ? ".none" : ""
      }`;
      const what = `${classes[label]} predicted as ${classes[predicted]}: ${number(count)} (${percent(count / sum)})`;
      return h(`td${look}`, { style: { "--share": `${(100 * strength).toFixed(1)}%` }, title: what }, number(count));
    });
    return h("tr", {}, h("th", { scope: "row" }, classes[label]), ...cells);
  });
  return panel(
    "Confusion matrix",
    { note: "Rows: the true class. Columns: the predicted class.", wide: true },
    h(
      "div.scroll",
      { tabindex: "0", role: "region", "aria-label": "Confusion matrix" },
      h(
        classes.length > 12 ? "table.confusion.dense" : "table.confusion",
        {},
        h(
          "thead",
          {},
          h(
            "tr",
            {},
            h("td"),
            ...classes.map((name) =>
              h("th", { scope: "col", style: { width: `${90 / classes.length}%` } }, h("span", {}, name))
            ),
          ),
        ),
        h("tbody", {}, ...rows),
      ),
    ),
  );
}

/** The mistakes with the highest predicted probability. */
export function mistakes({ evaluation }) {
  if (evaluation === undefined || evaluation.mistakes.length === 0) return undefined;
  const items = evaluation.mistakes.map(({ index, label, predicted, probability, png }) => {
    const [is, said] = [evaluation.classes[label], evaluation.classes[predicted]];
    return h(
      "figure",
      {},
      h("img", { src: png, alt: `Image ${index}: ${is}, predicted as ${said}`, width: "32", height: "32" }),
      h("figcaption", {}, h("span.is", {}, is), h("span.taken", {}, said), h("span.sure", {}, percent(probability))),
    );
  });
  return panel(
    "Most confident mistakes",
    { note: "The true class of each image, the predicted class, and its probability.", wide: true },
    h("div.mistakes", {}, ...items),
  );
}

/** The filters of the first layer. */
export function filters({ filters }) {
  if (filters === undefined) return undefined;
  const { images, count, width, height, name } = filters;
  const shown = images.length < count ? `The first ${images.length} of ${count} filters` : `${count} filters`;
  return panel(
    "First-layer filters",
    { note: `${shown} of ${height} × ${width} pixels: ${name}. Grey is 0.` },
    h("div.filters", {}, ...images.map((src, i) => h("img", { src, alt: `Filter ${i + 1}`, width, height }))),
  );
}

/** A panel with a list of names and values. */
export function table(title, values, options = {}) {
  const rows = Object.entries(values).filter(([, value]) => setting(value) !== NOTHING);
  if (rows.length === 0) return undefined;
  const entries = rows.map(([name, value]) => h("div", {}, h("dt", {}, words(name)), h("dd", {}, setting(value))));
  return panel(title, options, h("dl.settings", {}, ...entries));
}

/** `batchSize` becomes `batch size`. */
function words(name) {
  return name.replace(/([a-z])([A-Z])/g, (_, before, after) => `${before} ${after.toLowerCase()}`);
}

/** The events of a run, such as resuming or a changed learning rate. */
export function events({ series }) {
  if (series.events.length === 0) return undefined;
  const items = series.events.map(({ step, event, ...more }) => {
    const rest = Object.entries(more).map(([name, value]) => `${words(name)} ${setting(value)}`).join(", ");
    return h("li", {}, h("b", {}, `Step ${number(step)}: ${event}`), rest === "" ? undefined : ` (${rest})`);
  });
  return panel("Events", { note: "Dotted lines in the charts mark these events." }, h("ol.events", {}, ...items));
}
