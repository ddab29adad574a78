/**
 * The parts of the page other than the charts, each made from the view of a run.
 *
 * @module
 */
import { patchOf } from "./charts.js";
import { h, panel } from "./dom.js";
import { loss, NOTHING, number, percent, setting, time } from "./format.js";
import { showLarge } from "./pictures.js";
import { failureOf, figuresOf } from "./series.js";

/** The text and the colour of each state. */
const STATES = {
  running: ["running", "good"],
  paused: ["paused", "warn"],
  stopping: ["stopping", "warn"],
  testing: ["testing", "good"],
  finished: ["finished", "done"],
  "ended-early": ["ended early", "done"],
  failed: ["failed", "bad"],
  diverged: ["diverged", "bad"],
  stopped: ["not finished", "warn"],
};

/** A state as a small label. */
export function stateLabel(state) {
  const [text, look] = STATES[state] ?? [state, "warn"];
  return h(`span.state.${look}`, {}, text);
}

/** The summary of a run in numbers. The first one is the main result. */
export function figures(run) {
  const of = figuresOf(run), { testAccuracy, valAccuracy, chance } = of, other = run.evaluation?.results?.[1];
  const main = testAccuracy === null && valAccuracy !== null
    ? ["Highest validation accuracy", percent(valAccuracy, 2)]
    : [ofWeights(run, 0), percent(testAccuracy, 2), chance === null ? undefined : `chance: ${percent(chance)}`];
  const rows = [
    main,
    ["Test loss", loss(of.testLoss)],
    ...(other === undefined ? [] : [[ofWeights(run, 1), percent(other.accuracy, 2)]]),
    ...(testAccuracy !== null && valAccuracy !== null ? [["Highest validation", percent(valAccuracy, 2)]] : []),
    [of.epoch === null ? "Training loss" : `Training loss, epoch ${number(of.epoch)}`, loss(of.trainLoss)],
    ["Steps", number(of.steps)],
    ["Training time", time(of.seconds)],
    ["Images per second", throughput(of)],
  ];
  return h(
    "dl.figures",
    {},
    ...rows.map(([label, value, beside]) =>
      h(
        "div",
        {},
        h("dt", {}, label),
        h("dd", {}, value),
        beside === undefined
          ? undefined
          : h("dd.beside", { title: "Always predicting the most frequent class" }, beside),
      )
    ),
  );
}

/** The label of the test accuracy of the weights that are saved (0), or of others (1). It names them if they are not all. */
function ofWeights({ evaluation }, index) {
  const results = evaluation?.results ?? [];
  if (results.length < 2) return "Test accuracy";
  const { weights, epoch } = results[index];
  return index === 0 ? `Test accuracy, ${weights} weights (epoch ${epoch})` : `With the ${weights} weights`;
}

/** The images per second of a run, as text. */
export function throughput({ imagesPerSecond }) {
  return imagesPerSecond === null ? NOTHING : number(Math.round(imagesPerSecond));
}

/** Why a run has failed. */
export function failure({ series }) {
  const found = failureOf(series);
  if (found === undefined) return undefined;
  const title = found.state === "diverged" ? "Diverged" : "Failed";
  return h("section.alert", { role: "alert" }, h("h2", {}, title), h("p", {}, found.why));
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
  const others = runs.filter((_, i) => same.every((run) => run.i !== i)).map(({ name, evaluation }) =>
    `${name} (${evaluation === undefined ? "not tested" : "other classes"})`
  );
  const missing = others.length === 0 ? "" : ` Not shown: ${others.join(", ")}.`;
  const note = runs.length > 1
    ? `The bars have the colours of the runs.${missing}`
    : `On ${imagesOf(tested[0].evaluation)}.`;
  const names = `${Math.max(...classes.map(({ length }) => length))}ch`;
  return panel(
    "Accuracy by class",
    { note, wide: runs.length > 1 || isLarge(tested[0].evaluation) },
    h("dl.bars", { style: { "--names": names } }, ...rows),
  );
}

/** Whether an evaluation has so many classes that each of its panels needs the width of the page. */
export function isLarge({ classes }) {
  return classes.length > 16;
}

function imagesOf({ images, split }) {
  return `${number(images)} ${split} images`;
}

/** The confusion matrix as a table: rows are the true classes, columns the predicted classes. */
export function confusion({ evaluation }) {
  if (evaluation === undefined) return undefined;
  const { classes, confusion, mistakes } = evaluation;
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
      const some = mistakes.filter((one) => one.label === label && one.predicted === predicted);
      const content = some.length === 0
        ? number(count)
        : h("button.cell", { type: "button", onclick: () => showLarge(some, evaluation) }, number(count));
      return h(`td${look}`, { style: { "--share": `${(100 * strength).toFixed(1)}%` }, title: what }, content);
    });
    return h("tr", {}, h("th", { scope: "row" }, classes[label]), ...cells);
  });
  return panel(
    "Confusion matrix",
    {
      note: "Rows: the true class. Columns: the predicted class. A click on a mistake shows its images.",
      wide: isLarge(evaluation),
    },
    h(
      "div.scroll",
      { tabindex: "0", role: "region", "aria-label": "Confusion matrix" },
      h(
        classes.join("").length > 50 ? "table.confusion.dense" : "table.confusion",
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

/** The filters of the first layer. */
export function filters({ filters }) {
  if (filters === undefined) return undefined;
  const { images, count, width, height, name } = filters;
  const shown = images.length < count ? `The first ${images.length} of ${count} filters` : `${count} filters`;
  return panel(
    "First-layer filters",
    { note: `${shown} of ${height} × ${width} pixels: ${name}. Grey is 0.` },
    h(
      "div.filters",
      { style: arrange(images.length) },
      ...images.map((src, i) => h("img", { src, alt: `Filter ${i + 1}`, width, height })),
    ),
  );
}

/** Arranges a number of squares so that they fill a box about twice as wide as high, with few holes at the end. */
function arrange(count) {
  const ways = Array.from({ length: count }, (_, i) => ({ columns: i + 1, rows: Math.ceil(count / (i + 1)) }));
  const badness = ({ columns, rows }) =>
    5 * (columns * rows - count) / count + Math.abs(Math.log(columns / rows / 1.8));
  const { columns, rows } = ways.reduce((best, way) => badness(way) < badness(best) ? way : best);
  return { "--columns": `${columns}`, "--aspect": `${columns / rows}` };
}

/** A panel with a list of names and values. */
export function table(title, values, options = {}) {
  const list = listOf(Object.entries(values));
  return list === undefined ? undefined : panel(title, options, list);
}

/** A list of names and values; undefined if none has a value. */
function listOf(entries) {
  const rows = entries.filter(([, value]) => setting(value) !== NOTHING);
  if (rows.length === 0) return undefined;
  const items = rows.map(([name, value]) => h("div", {}, h("dt", {}, words(name)), h("dd", {}, setting(value))));
  return h("dl.settings", {}, ...items);
}

/** The settings of a run: those that differ from the defaults, and the others folded; and the command that started it. */
export function settings({ config, defaults, environment }, shown) {
  const isChanged = ([name]) => setting(config[name]) !== setting(defaults[name]);
  const all = Object.entries(shown),
    changed = all.filter((entry) => isChanged(entry) && !["name", "out"].includes(entry[0]));
  const rest = listOf(all.filter((entry) => !changed.includes(entry)));
  const list = listOf(changed) ?? (all.length === 0 ? undefined : h("p.note", {}, "All settings have their defaults."));
  if (list === undefined && rest === undefined) return undefined;
  const { command } = environment;
  return panel(
    "Settings",
    { note: "Those that differ from the defaults." },
    list,
    rest === undefined ? undefined : h("details", {}, h("summary", {}, "The other settings"), rest),
    typeof command === "string" ? commandLine(command) : undefined,
  );
}

/** A command with a button that copies it. */
function commandLine(command) {
  const code = h("code", {}, command);
  const copy = async ({ currentTarget: button }) => {
    try {
      await navigator.clipboard.writeText(command);
      button.textContent = "Copied";
    } catch {
      // Without permission the reader can copy what is selected.
      getSelection().selectAllChildren(code);
      button.textContent = "Selected: copy it";
    }
  };
  return h("div.command", {}, code, h("button", { type: "button", onclick: copy }, "Copy the command"));
}

/** `batchSize` becomes `batch size`. */
function words(name) {
  return name.replace(/([a-z])([A-Z])/g, (_, before, after) => `${before} ${after.toLowerCase()}`);
}

/** The events of a run, such as resuming or a changed learning rate. The reason of a failure is at the top of the page. */
export function events({ series }) {
  const listed = failureOf(series) === undefined ? series.events : series.events.slice(0, -1);
  if (listed.length === 0) return undefined;
  const items = listed.map(({ step, event, ...more }) => {
    const rest = Object.entries(more).map(([name, value]) => `${words(name)} ${setting(value)}`).join(", ");
    return h("li", {}, h("b", {}, `Step ${number(step)}: ${event}`), rest === "" ? undefined : ` (${rest})`);
  });
  return panel("Events", { note: "Dotted lines in the charts mark these events." }, h("ol.events", {}, ...items));
}
