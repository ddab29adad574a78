/**
 * Draws a page from the data inside it: the report of a run, a run that is training, a comparison, or the list of runs.
 *
 * @module
 */
import { charts } from "./charts.js";
import { h, panel } from "./dom.js";
import { number } from "./format.js";
import { follow, withToken } from "./live.js";
import { hasFewMistakes, mistakes } from "./pictures.js";
import {
  confusion,
  events,
  failure,
  figures,
  filters,
  isLarge,
  perClass,
  settings,
  stateLabel,
  table,
} from "./sections.js";
import { settingsOf } from "./series.js";
import { comparison, list } from "./tables.js";

const { mode, home, version, ...data } = JSON.parse(document.getElementById("data").textContent);
const page = document.getElementById("page"), icon = document.querySelector("link[rel=icon]").href;

const back = home === undefined ? [] : [h("a.back", { href: withToken(home) }, "All runs")];

/** The head of a page: its title, and a line below. */
function head(title, line) {
  return h(
    "header.head",
    {},
    h("p.brand", {}, h("img", { src: icon, alt: "", width: 22, height: 22 }), "wgrad", ...back),
    h("h1", {}, title),
    line,
  );
}

/** Describes a run in one line, such as `lenet on cifar10 · sgd`. */
function about({ state, config, environment }) {
  const { model, data, optimizer } = config, { started, adapter } = environment;
  const parts = [
    model === undefined ? undefined : `${model}${data === undefined ? "" : ` on ${data}`}`,
    optimizer,
    typeof adapter === "object" ? adapter?.name : adapter,
    typeof started === "string"
      ? started.slice(0, 16).replace("T", " ") + (started.endsWith("Z") ? " UTC" : "")
      : undefined,
  ];
  // On a live page, the bar shows the state.
  const label = mode === "live" ? undefined : stateLabel(state);
  return h("p.about", {}, label, parts.filter((part) => typeof part === "string").join(" · "));
}

/** Flattens nested records: the key of an inner value becomes `adapter name`. */
function flat(record) {
  return Object.fromEntries(
    Object.entries(record).flatMap(([name, value]) =>
      typeof value === "object" && value !== null && !Array.isArray(value)
        ? Object.entries(value).map(([inner, item]) => [`${name} ${inner}`, item])
        : [[name, value]]
    ),
  );
}

const isPart = (part) => part !== undefined;

/** Two panels side by side, or one over the other if the page is narrow. One alone fills the row. */
function pair(...panels) {
  const parts = panels.filter(isPart);
  return parts.length === 0 ? undefined : h("div.pair", {}, ...parts);
}

/** The parts of a run's page below its figures: the results first, and last what only confirms that nothing is wrong. */
function parts(run, { accuracy, loss, rate, throughput }) {
  const { evaluation } = run, few = hasFewMistakes(run), [matrix, bars] = [confusion(run), perClass([run])];
  const folded = [rate.isConstant ? rate.panel : undefined, throughput.panel].filter(isPart);
  const { command: _, ...facts } = run.environment; // It is beside the settings.
  const environment = table("Environment", flat(facts));
  const rest = [
    rate.isConstant ? undefined : rate.panel,
    pair(settings(run, settingsOf(run)), few ? undefined : filters(run)),
    events(run),
    run.badLines > 0
      ? panel(
        "Damaged lines",
        {},
        h(
          "p.error",
          {},
          `${number(run.badLines)} line${run.badLines === 1 ? "" : "s"} of metrics.jsonl could not be read.`,
        ),
      )
      : undefined,
  ].filter(isPart);
  return [
    pair(accuracy.panel, loss.panel),
    ...(evaluation !== undefined && isLarge(evaluation) ? [matrix, bars] : [pair(matrix, bars)]),
    few ? pair(mistakes(run), filters(run)) : mistakes(run),
    ...rest,
    environment === undefined ? undefined : h("details.folded", {}, h("summary", {}, "Environment"), environment),
    h(
      "details.folded",
      {},
      h("summary", {}, rate.isConstant ? "Learning rate (constant) and throughput" : "Throughput"),
      pair(...folded),
    ),
  ].filter(isPart);
}

function foot() {
  return h("footer", {}, `wgrad ${version}. Charts: uPlot. Drag over a chart to zoom in; double-click to zoom out.`);
}

/** The top of a run's page. The reason of a failure comes before all else. */
function top(run) {
  return [head(run.name, about(run)), failure(run), figures(run)].filter(isPart);
}

function report(run) {
  const drawing = charts([run]);
  page.replaceChildren(...top(run), h("div.grid", {}, ...parts(run, drawing)), foot());
  drawing.update();
}

/** The report of a run that is training: the charts are updated; the other parts are made again when they change. */
function live() {
  const above = h("div"), below = h("div.grid"), shown = { name: "", series: undefined };
  let drawing, wasConstant = true;
  const show = (run) => {
    document.title = `${run.name} – wgrad`;
    Object.assign(shown, run);
    drawing ??= charts([shown]);
    wasConstant = drawing.rate.isConstant;
    above.replaceChildren(...top(run));
    below.replaceChildren(...parts(run, drawing));
    drawing.update();
  };
  const update = (run) => {
    Object.assign(shown, run);
    if (drawing.rate.isConstant !== wasConstant) return show(run); // Its chart is somewhere else now.
    drawing.update();
    above.querySelector("dl").replaceWith(figures(run));
  };
  above.append(head("Connecting …"));
  page.replaceChildren(follow({ show, update }), above, below, foot());
}

function compare({ runs, comparison: table }) {
  const drawing = charts(runs), bars = perClass(runs);
  page.replaceChildren(
    head(`${runs.length} runs`, h("p.about", {}, runs.map(({ name }) => name).join(" · "))),
    h(
      "div.grid",
      {},
      ...comparison(table),
      drawing.axis,
      h("div.pair", {}, ...drawing.panels),
      ...(bars === undefined ? [] : [bars]),
    ),
    foot(),
  );
  drawing.update();
}

function browse({ folder, runs }) {
  page.replaceChildren(head("Runs", h("p.about", {}, folder)), list(folder, runs), h("footer", {}, `wgrad ${version}`));
}

if (mode === "report") report(data.run);
else if (mode === "live") live();
else if (mode === "compare") compare(data);
else browse(data);
