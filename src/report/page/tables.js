/**
 * The parts of pages with several runs: the tables of a comparison, and the list of runs.
 *
 * @module
 */
import { patchOf } from "./charts.js";
import { h, panel } from "./dom.js";
import { date, loss, NOTHING, number, percent, time } from "./format.js";
import { token, withToken } from "./live.js";
import { openWindow } from "./pictures.js";
import { stateLabel, throughput } from "./sections.js";

/** The tables of a comparison, with a column per run: the results, and the settings that differ. */
export function comparison({ names, results, settings, notes }) {
  const some = results.some(({ best }) => best.length > 0) ? "The best results are bold." : undefined;
  return [
    ...notes.map((note) => h("section.alert.warning", { role: "status" }, h("p", {}, note))),
    comparisonTable("Results", some, names, results),
    settings.length > 0
      ? comparisonTable("Settings that differ", undefined, names, settings)
      : panel("Settings", { wide: true }, h("p", {}, "No settings differ.")),
  ];
}

function comparisonTable(title, note, names, rows) {
  const heads = names.map((name, i) =>
    h("th", { scope: "col" }, h("span.swatch", { style: { background: patchOf(i) } }), name)
  );
  const body = rows.map(({ label, values, best }) =>
    h(
      "tr",
      {},
      h("th", { scope: "row" }, label),
      ...values.map((value, i) => h(`td${best.includes(i) ? ".best" : ""}`, {}, value)),
    )
  );
  return panel(
    title,
    { note, wide: true },
    h(
      "div.scroll",
      { tabindex: "0", role: "region", "aria-label": title },
      h("table.runs", {}, h("thead", {}, h("tr", {}, h("td"), ...heads)), h("tbody", {}, ...body)),
    ),
  );
}

/** Milliseconds between two requests for the list. */
const REFRESH = 4000;

/** The columns of the list: title, the value to sort by, the cell's content; `numeric` ones are sorted from the largest. */
const COLUMNS = [
  { title: "Run", value: ({ name }) => name },
  { title: "State", value: ({ state }) => state, cell: ({ state }) => stateLabel(state) },
  { title: "Started", value: ({ started }) => started, cell: ({ started }) => date(started), numeric: true },
  { title: "Data", value: ({ data }) => data },
  { title: "Model", value: ({ model }) => model },
  { title: "Optimizer", value: ({ optimizer }) => optimizer },
  figureColumn("Test acc.", "testAccuracy", (value) => percent(value, 2)),
  figureColumn("Val. acc.", "valAccuracy", (value) => percent(value, 2)),
  figureColumn("Train loss", "trainLoss", loss),
  { title: "Loss curve", cell: ({ losses }) => sparkline(losses) },
  figureColumn("Steps", "steps", number),
  figureColumn("Time", "seconds", time),
  { ...figureColumn("Images/s", "imagesPerSecond"), cell: ({ figures }) => throughput(figures) },
];

function figureColumn(title, key, format) {
  return { title, value: ({ figures }) => figures[key], cell: ({ figures }) => format(figures[key]), numeric: true };
}

/** A small curve. */
function sparkline(values) {
  if (values.length < 2) return NOTHING;
  const [least, most] = [Math.min(...values), Math.max(...values)], [width, height] = [96, 22];
  const at = (value, i) => {
    const y = (height - 4) * (1 - (value - least) / (most - least || 1)) + 2;
    return `${(width * i / (values.length - 1)).toFixed(1)},${y.toFixed(1)}`;
  };
  const make = (tag, attributes) => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    return element;
  };
  const name = `Training loss from ${loss(values[0])} to ${loss(values.at(-1))}`;
  const svg = make("svg", {
    class: "spark",
    width,
    height,
    viewBox: `0 0 ${width} ${height}`,
    role: "img",
    "aria-label": name,
  });
  svg.append(make("polyline", { points: values.map(at).join(" ") }));
  return svg;
}

/** The order of two runs by a column. Runs without a value come last in both directions. */
function byColumn({ value, numeric }, down) {
  const compare = new Intl.Collator("en", { numeric: true }).compare;
  return (a, b) => {
    const [x, y] = [a, b].map((run) => run.error === undefined ? value(run) : null);
    if (x === null || y === null) return (x === null) - (y === null);
    return (down ? -1 : 1) * (numeric && typeof x === "number" ? x - y : compare(x, y));
  };
}

/**
 * The list of the runs in a folder, with checkboxes to choose runs to compare. It is sorted by any column, first by the date, and
 * asks for what is new while the page is visible.
 */
export function list(folder, listed) {
  let runs = listed, column = COLUMNS[2], down = true;
  const chosen = new Set(),
    compare = h("button", { type: "submit" }, "Compare"),
    said = h("p.said.error", { role: "status" });
  const title = h("h2"), head = h("tr"), body = h("tbody"), empty = h("p.note");
  empty.textContent = "There are no runs in this folder yet. Start one with wgrad train.";
  const say = (text) => said.textContent = text;

  const sortBy = (clicked) => {
    down = clicked === column ? !down : clicked.numeric === true;
    column = clicked;
    draw();
  };
  const heading = (one) => {
    if (one.value === undefined) return h("th", { scope: "col" }, one.title);
    const order = one !== column ? undefined : down ? "descending" : "ascending";
    return h(
      `th${one.numeric ? ".number" : ""}`,
      { scope: "col", "aria-sort": order },
      h("button.sort", { type: "button", onclick: () => sortBy(one) }, one.title),
    );
  };
  const changed = () => {
    compare.disabled = chosen.size < 2;
    compare.textContent = chosen.size < 2 ? "Compare" : `Compare ${chosen.size} runs`;
  };
  const row = (run) => {
    const { name, error } = run;
    const choose = ({ target }) => {
      if (target.checked) chosen.add(name);
      else chosen.delete(name);
      changed();
    };
    const box = h("input", {
      type: "checkbox",
      name: "run",
      value: name,
      checked: chosen.has(name),
      disabled: error !== undefined,
      onchange: choose,
      "aria-label": `Compare ${name}`,
    });
    const link = error === undefined ? h("a", { href: withToken(`run/${encodeURIComponent(name)}`) }, name) : name;
    const cell = ({ cell, value, numeric }) =>
      h(`td${numeric ? ".number" : ""}`, {}, cell?.(run) ?? value(run) ?? NOTHING);
    const cells = error === undefined
      ? COLUMNS.slice(1).map(cell)
      : [h("td.error", { colspan: `${COLUMNS.length - 1}` }, error)];
    const running = ["running", "paused"].includes(run.state);
    const remove = h(
      "button.delete",
      { type: "button", disabled: running, "aria-label": `Delete ${name}`, onclick: () => askToDelete(name) },
      "Delete",
    );
    return h("tr", {}, h("td", {}, box), h("th", { scope: "row" }, link), ...cells, h("td", {}, remove));
  };
  const draw = () => {
    const focused = document.activeElement?.getAttribute("aria-label");
    title.textContent = `${number(runs.length)} run${runs.length === 1 ? "" : "s"}`;
    for (const name of chosen) if (!runs.some((run) => run.name === name)) chosen.delete(name);
    head.replaceChildren(h("td"), ...COLUMNS.map(heading), h("td"));
    body.replaceChildren(...runs.toSorted(byColumn(column, down)).map(row));
    // The element with the focus was made again.
    if (focused) body.querySelector(`[aria-label="${CSS.escape(focused)}"]`)?.focus();
    empty.hidden = runs.length > 0;
    changed();
  };

  const refresh = async () => {
    const answer = await fetch(withToken("list.json"));
    if (!answer.ok) throw new Error(await answer.text());
    const fresh = await answer.json();
    if (JSON.stringify(fresh) === JSON.stringify(runs)) return;
    runs = fresh;
    draw();
  };
  const watch = async () => {
    try {
      if (!document.hidden) await refresh();
      say("");
    } catch {
      say("The server does not respond: it has ended, or the connection is lost. Trying again …");
    }
    setTimeout(watch, REFRESH);
  };
  const askToDelete = (name) => {
    const text = h("p", {}, `The run goes to ${folder}/.trash. To get it back, move its folder back.`);
    const confirm = h("button.danger", {
      type: "button",
      onclick: async () => {
        dialog.close();
        const problem = await moveToTrash(name);
        await refresh().catch(() => {});
        say(problem);
      },
    }, "Move to the trash");
    const dialog = openWindow(`Delete ${name}?`, text, undefined, confirm);
  };

  draw();
  if (location.protocol !== "file:") setTimeout(watch, REFRESH);
  return h(
    "form",
    { action: "compare", method: "get" },
    h("input", { type: "hidden", name: "token", value: token }),
    h(
      "section.panel.wide",
      {},
      h("header", {}, title, compare),
      empty,
      said,
      h("div.scroll", {}, h("table.runs.list", {}, h("thead", {}, head), body)),
    ),
  );
}

/** Moves a run to the trash. @returns why that did not work; "" if it did. */
async function moveToTrash(name) {
  try {
    const answer = await fetch(withToken("trash"), {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ run: name }),
    });
    if (answer.ok) return "";
    const text = await answer.text();
    return `${name} was not deleted: ${text.startsWith("{") ? JSON.parse(text).error : text}`;
  } catch {
    return `${name} was not deleted: the server does not respond.`;
  }
}
