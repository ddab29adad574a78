/**
 * Draws a page from the data inside it: the report of a run, a run that is training, a comparison, or the list of runs.
 *
 * @module
 */
import { charts } from "./charts.js";
import { h, panel } from "./dom.js";
import { number } from "./format.js";
import { follow, withToken } from "./live.js";
import { confusion, events, figures, filters, mistakes, perClass, stateLabel, table } from "./sections.js";
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

/** The parts of the page below the charts. */
function details(run) {
  return [
    perClass([run]),
    filters(run),
    confusion(run),
    mistakes(run),
    table("Settings", settingsOf(run)),
    table("Environment", flat(run.environment)),
    events(run),
    run.badLines > 0
      ? panel(
        "Damaged lines",
        {},
        h("p", {}, `${number(run.badLines)} line${run.badLines === 1 ? "" : "s"} of metrics.jsonl could not be read.`),
      )
      : undefined,
  ].filter((part) => part !== undefined);
}

function foot() {
  return h("footer", {}, `wgrad ${version}. Charts: uPlot. Drag over a chart to zoom in; double-click to zoom out.`);
}

function report(run) {
  const drawing = charts([run]);
  page.replaceChildren(
    head(run.name, about(run)),
    figures(run),
    h("div.grid", {}, ...drawing.panels, ...details(run)),
    foot(),
  );
  drawing.update();
}

/** The report of a run that is training: the charts are updated; the other parts are made again when they change. */
function live() {
  const top = h("div"), below = h("div.grid"), shown = { name: "", series: undefined };
  let drawing;
  const update = (run) => {
    shown.series = run.series;
    drawing.update();
    top.querySelector("dl").replaceWith(figures(run));
  };
  const bar = follow({
    show(run) {
      document.title = `${run.name} – wgrad`;
      shown.series = run.series;
      drawing ??= charts([shown]);
      top.replaceChildren(head(run.name, about(run)), figures(run));
      below.replaceChildren(...drawing.panels, ...details(run));
      drawing.update();
    },
    update,
  });
  top.append(head("Connecting …"));
  page.replaceChildren(bar, top, below, foot());
}

function compare({ runs, comparison: table }) {
  const drawing = charts(runs), bars = perClass(runs);
  page.replaceChildren(
    head(`${runs.length} runs`, h("p.about", {}, runs.map(({ name }) => name).join(" · "))),
    h("div.grid", {}, comparison(table), ...drawing.panels, ...(bars === undefined ? [] : [bars])),
    foot(),
  );
  drawing.update();
}

function browse({ folder, runs }) {
  page.replaceChildren(head("Runs", h("p.about", {}, folder)), list(runs), h("footer", {}, `wgrad ${version}`));
}

if (mode === "report") report(data.run);
else if (mode === "live") live();
else if (mode === "compare") compare(data);
else browse(data);
