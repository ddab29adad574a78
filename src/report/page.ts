/**
 * The page that shows runs, as one self-contained HTML file: its data, style, script and chart library are inside, and
 * its content security policy lets it load nothing else. What it looks like is in `page/`; this file puts it together.
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
import ownStyle from "./page/page.css" with { type: "text" };
import sections from "./page/sections.js" with { type: "text" };
import series from "./page/series.js" with { type: "text" };
import tables from "./page/tables.js" with { type: "text" };
import { figuresOf } from "./page/series.js";
import type { RunView } from "./run_view.ts";

/** A run in the list of all. */
export type ListedRun = Pick<RunView, "name" | "state" | "config"> & { readonly figures: ReturnType<typeof figuresOf> };

/** A folder that cannot be read, and why. */
export interface UnreadableRun {
  readonly name: string;
  readonly error: string;
}

/** Where a page is served, and by what path its list of runs is reached; not for a file. */
export interface PageOptions {
  readonly home?: string;
}

/** The report of one run. */
export function reportPage(run: RunView, { home }: PageOptions = {}): string {
  return page(`${run.name} – wgrad`, "report", { home, run });
}

/**
 * The report of a run that is under way. The page takes its token from its own address, listens to `events`, and posts
 * to `control`.
 */
export function livePage(): string {
  return page("wgrad", "live");
}

/** Several runs, in the same charts and in one table. */
export function comparePage(runs: readonly RunView[], { home }: PageOptions = {}): string {
  // Nothing is shown of these, and they are most of the bytes.
  const slim = runs.map(({ filters: _, evaluation, ...run }) => ({
    ...run,
    ...(evaluation && { evaluation: { ...evaluation, mistakes: [], confusion: [] } }),
  }));
  return page(`${runs.map(({ name }) => name).join(", ")} – wgrad`, "compare", {
    home,
    runs: slim,
    comparison: compareRuns(runs),
  });
}

/** The list of the runs in a folder: links to `run/NAME`, and a form that asks for `compare?run=A&run=B`. */
export function browsePage(folder: string, runs: readonly (RunView | UnreadableRun)[]): string {
  const listed = runs.map((run): ListedRun | UnreadableRun =>
    "error" in run ? run : { name: run.name, state: run.state, config: run.config, figures: figuresOf(run) }
  );
  return page("Runs – wgrad", "browse", { folder, runs: listed });
}

/** The modules of the page as one: in order, without their imports and exports. */
const script = [series, format, dom, charts, sections, live, tables, main]
  .map((text) => text.replace(/^import [^;]*;\n/gm, "").replace(/^export /gm, ""))
  .join("\n");

const style = `${uplotStyle}\n${ownStyle}`;

/** A falling curve. */
const icon = "data:image/svg+xml," + encodeURIComponent(
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="8" fill="#1d4ed8"/>' +
    '<path d="M7 8c3 13 8 16 18 16" fill="none" stroke="#fff" stroke-width="3.4" stroke-linecap="round"/></svg>',
);

/** What a content security policy calls an inline script or style. */
function hashOf(text: string): string {
  return `'sha256-${createHash("sha256").update(text).digest("base64")}'`;
}

/**
 * What the page may do. Scripts and styles are those in it alone; images are those in its data; the requests of a live page
 * and the form of the list go to where the page came from, which for a file is nowhere.
 */
const policy = [
  "default-src 'none'",
  `script-src ${hashOf(uplot)} ${hashOf(script)}`,
  `style-src ${hashOf(style)}`,
  "img-src data:",
  "base-uri 'none'",
].join("; ");

const MORE = {
  report: "; form-action 'none'",
  compare: "; form-action 'none'",
  live: "; connect-src 'self'; form-action 'none'",
  browse: "; form-action 'self'",
};

function page(title: string, mode: keyof typeof MORE, data: object = {}): string {
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}${MORE[mode]}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<meta name="generator" content="wgrad ${VERSION}">
<link rel="icon" href="${icon}">
<title>${escapeHtml(title)}</title>
<style>${style}</style>
</head>
<body>
<main id="page"><noscript>This page draws itself with the script inside it: allow scripts to see it.</noscript></main>
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

/** JSON that cannot end the script element that it is in, whatever texts are in it. */
export function jsonForHtml(value: unknown): string {
  return JSON.stringify(value).replaceAll("<", "\\u003c");
}

/** Text as HTML has it. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (letter) => `&#${letter.charCodeAt(0)};`);
}
