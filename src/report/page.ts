/**
 * Puts together the page that shows runs: one self-contained HTML file with its data, style, script and chart library. Its
 * content security policy does not let it load anything else. The look and behaviour of the page are in `page/`.
 *
 * @module
 */
import { createHash } from "node:crypto";
import license from "uplot/license" with { type: "text" };
import uplot from "uplot/uplot.js" with { type: "text" };
import uplotStyle from "uplot/uplot.css" with { type: "text" };
import { VERSION } from "../version.ts";
import { compareRuns } from "./comparison.ts";
import charts from "./page/charts.js" with { type: "text" };
import dom from "./page/dom.js" with { type: "text" };
import format from "./page/format.js" with { type: "text" };
import live from "./page/live.js" with { type: "text" };
import main from "./page/main.js" with { type: "text" };
import pageStyle from "./page/page.css" with { type: "text" };
import sections from "./page/sections.js" with { type: "text" };
import pictures from "./page/pictures.js" with { type: "text" };
import series from "./page/series.js" with { type: "text" };
import tables from "./page/tables.js" with { type: "text" };
import { figuresOf, thin } from "./page/series.js";
import type { RunView } from "./run_view.ts";

/** A run in the list of runs. */
export interface ListedRun extends Pick<RunView, "name" | "state"> {
  /** When it was started: ISO 8601, in UTC; null if the run does not say. */
  readonly started: string | null;
  readonly model: string | null;
  readonly data: string | null;
  readonly optimizer: string | null;
  readonly figures: ReturnType<typeof figuresOf>;
  /** Some points of the training loss, to draw a small curve. */
  readonly losses: readonly number[];
}

/** The most points of the small curve of a run. */
const MAX_LISTED_POINTS = 48;

/** A run that cannot be read, and the reason. */
export interface UnreadableRun {
  readonly name: string;
  readonly error: string;
}

/** Options of a page that is served. `home` is the path to its list of runs; it is not set for a page in a file. */
export interface PageOptions {
  readonly home?: string;
}

/** The report of one run. */
export function reportPage(run: RunView, { home }: PageOptions = {}): string {
  return page(`${run.name} – wgrad`, "report", { home, run });
}

/**
 * The report of a run that is training. The page takes the token from its own URL, receives server-sent events from `events`,
 * and posts actions to `control`.
 */
export function livePage(): string {
  return page("wgrad", "live");
}

/** The comparison of several runs: one table, and charts with the curves of all. */
export function comparePage(runs: readonly RunView[], { home }: PageOptions = {}): string {
  // The page does not show these, and they are most of the bytes.
  const reduced = runs.map(({ filters: _, evaluation, ...run }) => ({
    ...run,
    ...(evaluation && { evaluation: { ...evaluation, mistakes: [], confusion: [] } }),
  }));
  return page(`${runs.map(({ name }) => name).join(", ")} – wgrad`, "compare", {
    home,
    runs: reduced,
    comparison: compareRuns(runs),
  });
}

/** What the list shows of a run. */
export function listedRun(run: RunView): ListedRun {
  const { name, state, config, environment, series } = run;
  const text = (value: unknown) => typeof value === "string" ? value : null;
  const losses = thin(series.curves.loss!, MAX_LISTED_POINTS).y;
  const { model, data, optimizer } = config;
  return {
    name,
    state,
    started: text(environment.started),
    model: text(model),
    data: text(data),
    optimizer: text(optimizer),
    figures: figuresOf(run),
    losses: losses.map((loss) => Number(loss.toPrecision(4))),
  };
}

/**
 * The list of the runs in a folder, with links to `run/NAME` and a form that leads to `compare?run=A&run=B`. The page asks for
 * `list.json` again and again, which is the list as JSON, and posts the name of a run that is to go to the trash to `trash`.
 */
export function browsePage(folder: string, runs: readonly (ListedRun | UnreadableRun)[]): string {
  return page("Runs – wgrad", "browse", { folder, runs });
}

/** The modules of the page joined into one script, in this order, without their imports and exports. */
const script = [series, format, dom, charts, pictures, sections, live, tables, main]
  .map((text) => text.replace(/^import [^;]*;\n/gm, "").replace(/^export /gm, ""))
  .join("\n");

const style = `${uplotStyle}\n${pageStyle}`;

/** The icon: a falling curve. */
const icon = "data:image/svg+xml," + encodeURIComponent(
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="8" fill="#1d4ed8"/>' +
    '<path d="M7 8c3 13 8 16 18 16" fill="none" stroke="#fff" stroke-width="3.4" stroke-linecap="round"/></svg>',
);

/** The hash by which a content security policy allows an inline script or style. */
function hashOf(text: string): string {
  return `'sha256-${createHash("sha256").update(text).digest("base64")}'`;
}

/**
 * The content security policy. Only the scripts and styles in the page are allowed, and only images in its data. A live page
 * and the list may send requests, and the list its form, but only to the server that the page came from.
 */
const policy = [
  "default-src 'none'",
  `script-src ${hashOf(uplot)} ${hashOf(script)}`,
  `style-src ${hashOf(style)}`,
  "img-src data:",
  "base-uri 'none'",
].join("; ");

/** The rest of the policy for each kind of page. */
const MODE_POLICIES = {
  report: "; form-action 'none'",
  compare: "; form-action 'none'",
  live: "; connect-src 'self'; form-action 'none'",
  browse: "; connect-src 'self'; form-action 'self'",
};

function page(title: string, mode: keyof typeof MODE_POLICIES, data: object = {}): string {
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}${MODE_POLICIES[mode]}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<meta name="generator" content="wgrad ${VERSION}">
<link rel="icon" href="${icon}">
<title>${escapeHtml(title)}</title>
<style>${style}</style>
</head>
<body>
<main id="page"><noscript>This page needs JavaScript: allow scripts to see it.</noscript></main>
<script type="application/json" id="data">${jsonForHtml({ version: VERSION, mode, ...data })}</script>
<!-- The charts are drawn by uPlot.
${license.trim()}
-->
<script>${uplot}</script>
<script type="module">${script}</script>
</body>
</html>
`;
}

/** Encodes a value as JSON for a script element. No text in the value can end the element. */
export function jsonForHtml(value: unknown): string {
  return JSON.stringify(value).replaceAll("<", "\\u003c");
}

/** Escapes text for HTML. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (letter) => `&#${letter.charCodeAt(0)};`);
}
