/**
 * Chromium for the tests of pages: Debian's, driven by playwright-core.
 *
 * @module
 */
import { type Browser, chromium, type Page } from "npm:playwright-core@1.62.0";
import { findTool } from "../support/tools.ts";

/** Starts the browser, with a profile of its own and no requests in the background. It must be installed. */
export async function startBrowser(): Promise<Browser> {
  return await chromium.launch({
    executablePath: (await findTool("chromium"))!,
    args: [
      "--no-sandbox",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      "--disable-quic",
    ],
  });
}

/** A page, and what it complained of and asked for. */
export interface Watched {
  readonly page: Page;
  /** Messages of warnings and errors. */
  readonly complaints: string[];
  /** Addresses, but for those of data in the page. */
  readonly requests: string[];
}

/** Has the page keep the charts that it makes, of which else only the pixels could be seen, in `charts`. */
const KEEP_CHARTS = `{
  window.charts = [];
  let made;
  const set = (uPlot) => {
    made = new Proxy(uPlot, {
      construct(target, args) {
        charts.push(new target(...args));
        return charts.at(-1);
      },
    });
  };
  Object.defineProperty(window, "uPlot", { get: () => made, set });
}`;

/** Opens an address in a new window, whose charts are in its global `charts`. */
export async function open(
  browser: Browser,
  url: string,
  { width, height, dark = false }: { width: number; height: number; dark?: boolean },
): Promise<Watched> {
  const context = await browser.newContext({ viewport: { width, height }, colorScheme: dark ? "dark" : "light" });
  const page = await context.newPage(), complaints: string[] = [], requests: string[] = [];
  page.on("console", (message) => {
    if (["warning", "error"].includes(message.type())) complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(error.message));
  page.on("request", (request) => {
    if (!request.url().startsWith("data:")) requests.push(request.url());
  });
  await page.addInitScript(KEEP_CHARTS);
  await page.goto(url);
  return { page, complaints, requests };
}
