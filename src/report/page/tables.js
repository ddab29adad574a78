/**
 * The parts of pages with several runs: the table of a comparison, and the list of runs.
 *
 * @module
 */
import { patchOf } from "./charts.js";
import { h, panel } from "./dom.js";
import { loss, number, percent, time } from "./format.js";
import { token, withToken } from "./live.js";
import { stateLabel } from "./sections.js";

/** The table of a comparison: a column per run, a row per setting or result. */
export function comparison({ names, rows }) {
  const heads = names.map((name, i) =>
    h("th", { scope: "col" }, h("span.swatch", { style: { background: patchOf(i) } }), name)
  );
  const body = rows.map(({ label, values, differs, best }) =>
    h(
      `tr${differs ? ".differs" : ""}`,
      {},
      h("th", { scope: "row" }, label),
      ...values.map((value, i) => h(`td${best.includes(i) ? ".best" : ""}`, {}, value)),
    )
  );
  return panel(
    "Settings and results",
    { note: "Settings that differ are marked. The best results are bold.", wide: true },
    h(
      "div.scroll",
      { tabindex: "0", role: "region", "aria-label": "Settings and results" },
      h("table.runs", {}, h("thead", {}, h("tr", {}, h("td"), ...heads)), h("tbody", {}, ...body)),
    ),
  );
}

/** The list of the runs in a folder, with checkboxes to choose runs to compare. */
export function list(runs) {
  if (runs.length === 0) return h("p.note", {}, "There are no runs in this folder yet. Start one with wgrad train.");
  const button = h("button", { type: "submit", disabled: true }, "Compare");
  const changed = (event) => {
    const chosen = event.currentTarget.querySelectorAll("input:checked").length;
    button.disabled = chosen < 2;
    button.textContent = chosen < 2 ? "Compare" : `Compare ${chosen} runs`;
  };
  const rows = runs.map(({ name, state, error, config, figures }) =>
    h(
      "tr",
      {},
      h(
        "td",
        {},
        h("input", {
          type: "checkbox",
          name: "run",
          value: name,
          disabled: error !== undefined,
          "aria-label": `Compare ${name}`,
        }),
      ),
      h(
        "th",
        { scope: "row" },
        error === undefined ? h("a", { href: withToken(`run/${encodeURIComponent(name)}`) }, name) : name,
      ),
      ...(error === undefined
        ? [
          h("td", {}, stateLabel(state)),
          h("td", {}, String(config.model ?? "–")),
          h("td", {}, String(config.optimizer ?? "–")),
          h("td.number", {}, percent(figures.testAccuracy, 2)),
          h("td.number", {}, percent(figures.valAccuracy, 2)),
          h("td.number", {}, loss(figures.lastLoss)),
          h("td.number", {}, number(figures.steps)),
          h("td.number", {}, time(figures.seconds)),
        ]
        : [h("td.error", { colspan: "8" }, error)]),
    )
  );
  const head = ["State", "Model", "Optimizer", "Test acc.", "Val. acc.", "Last loss", "Steps", "Time"].map((text, i) =>
    h(`th${i > 2 ? ".number" : ""}`, { scope: "col" }, text)
  );
  return h(
    "form",
    { action: "compare", method: "get", onchange: changed },
    h("input", { type: "hidden", name: "token", value: token }),
    h(
      "section.panel.wide",
      {},
      h("header", {}, h("h2", {}, `${number(runs.length)} run${runs.length === 1 ? "" : "s"}`), button),
      h(
        "div.scroll",
        {},
        h(
          "table.runs.list",
          {},
          h("thead", {}, h("tr", {}, h("td"), h("th", { scope: "col" }, "Run"), ...head)),
          h("tbody", {}, ...rows),
        ),
      ),
    ),
  );
}
