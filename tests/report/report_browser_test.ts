/**
 * What a reader can do on the report of a run, and what a run that went wrong shows.
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { writeReport } from "../../src/report/report_file.ts";
import { withFolder } from "../data/fixtures.ts";
import { testWith } from "../support/tools.ts";
import { open, startBrowser, type Watched } from "./browser.ts";
import { writeRun } from "./fixtures.ts";

const SIZE = { width: 1200, height: 900 };

/** A test with the report of a made-up run that `prepare` may change, in a browser of its own. */
function reportTest(
  name: string,
  prepare: (folder: string) => Promise<void>,
  use: (watched: Watched) => Promise<void>,
) {
  return testWith("chromium", name, () =>
    withFolder(async (folder) => {
      await writeRun(folder);
      await prepare(folder);
      const url = pathToFileURL(await writeReport(folder)).href, browser = await startBrowser();
      try {
        const watched = await open(browser, url, SIZE);
        await use(watched);
        assertEquals(watched.complaints, []);
      } finally {
        await browser.close();
      }
    }));
}

/** The headings of the page, from the top. */
const headingsOf = ({ page }: Watched) => page.locator("h2:visible").allTextContents();

const metrics = (folder: string) => join(folder, "metrics.jsonl");

async function editMetrics(folder: string, edit: (line: Record<string, unknown>) => object): Promise<void> {
  const lines = (await Deno.readTextFile(metrics(folder))).trim().split("\n").map((line) => JSON.parse(line));
  await Deno.writeTextFile(metrics(folder), lines.map((line) => `${JSON.stringify(edit(line))}\n`).join(""));
}

await reportTest(
  "the results come first, then the mistakes, the rates and the settings",
  () => Promise.resolve(),
  async (watched) => {
    assertEquals(await headingsOf(watched), [
      "Accuracy",
      "Loss",
      "Confusion matrix",
      "Accuracy by class",
      "Most confident mistakes",
      "Learning rate",
      "Settings",
      "First-layer filters",
      "Events",
    ]);
    // Each panel fills its row: no row ends before the page does.
    for (const width of [360, 768, 1280, 1920]) {
      await watched.page.setViewportSize({ width, height: 900 });
      await watched.page.waitForTimeout(200);
      const gaps = await watched.page.evaluate<number[]>(`[...document.querySelectorAll(".pair")].map((row) => {
        const panels = [...row.children].filter((e) => e.checkVisibility()).map((e) => e.getBoundingClientRect());
        const bottom = Math.max(...panels.map((e) => e.bottom));
        const right = Math.max(...panels.filter((e) => e.bottom > bottom - 2).map((e) => e.right));
        return panels.length === 0 ? 0 : Math.round(row.getBoundingClientRect().right - right);
      })`);
      assertEquals(new Set(gaps), new Set([0]), `${width}`);
    }
  },
);

await reportTest(
  "a click on a mistake, or on a number of the confusion matrix, shows the images larger",
  () => Promise.resolve(),
  async ({ page }) => {
    const picture = page.locator(".mistakes figure").first(), words = await picture.locator("span").allTextContents();
    await picture.getByRole("button").click();
    const dialog = page.getByRole("dialog");
    assertEquals(await dialog.locator("h2").textContent(), `${words[0]}, predicted as ${words[1]}`);
    assertEquals((await dialog.locator("img").boundingBox())!.width, 256);
    await page.keyboard.press("Escape");
    await dialog.waitFor({ state: "detached" });

    const cell = page.locator("button.cell").first(), title = await cell.locator("..").getAttribute("title");
    const [, is, said] = /^(\w+) predicted as (\w+):/.exec(title!)!;
    const shown = page.locator(".mistakes figcaption", { hasText: new RegExp(`^${is}${said}`) });
    await cell.click();
    assertEquals(await dialog.locator("h2").textContent(), `${is}, predicted as ${said}`);
    assertEquals(await dialog.locator("img").count(), await shown.count());
    await dialog.getByRole("button", { name: "Close" }).click();
    await dialog.waitFor({ state: "detached" });
  },
);

await reportTest(
  "at most three mistakes of a pair of classes are shown",
  async (folder) => {
    const file = join(folder, "evaluation.json"), evaluation = JSON.parse(await Deno.readTextFile(file));
    evaluation.mistakes.forEach((mistake: object, i: number) => Object.assign(mistake, { label: i % 2, predicted: 7 }));
    await Deno.writeTextFile(file, JSON.stringify(evaluation));
  },
  async ({ page }) => assertEquals(await page.locator(".mistakes figure").count(), 6),
);

await reportTest(
  "a constant learning rate is folded, with the throughput",
  (folder) => editMetrics(folder, (line) => "lr" in line ? { ...line, lr: 0.05 } : line),
  async (watched) => {
    assert(!(await headingsOf(watched)).includes("Learning rate"));
    await watched.page.getByText("Learning rate (constant) and throughput").click();
    const headings = await headingsOf(watched);
    assertEquals(headings.slice(-2), ["Learning rate", "Throughput (images/s, as measured)"]);
    await watched.page.waitForTimeout(200);
    const widths = await watched.page.locator("details .chart canvas").evaluateAll((all) =>
      all.map((canvas: { clientWidth: number; closest(name: string): { clientWidth: number } }) =>
        canvas.clientWidth - canvas.closest(".chart").clientWidth
      )
    );
    assertEquals(widths, [0, 0]); // They were hidden when they were made.
  },
);

await reportTest(
  "a changed learning rate is drawn as a step",
  (folder) =>
    editMetrics(folder, (line) => "lr" in line ? { ...line, lr: Number(line.step) > 4000 ? 0.01 : 0.05 } : line),
  async ({ page }) => {
    const rates =
      `charts.find(({ root }) => root.closest("section").querySelector("h2").textContent === "Learning rate")`;
    // The line between the two rates is upright: it is at the same place close to the one as close to the other.
    const places = await page.evaluate<number[]>(`(() => {
      const { ctx: { canvas }, valToPos } = ${rates}, { width, height } = canvas;
      const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
      return [0.045, 0.015].map((rate) => {
        const row = Math.round(valToPos(rate, "y", true)) * width;
        const isBlue = (x) => data[4 * (row + x) + 3] > 100 && data[4 * (row + x) + 2] - data[4 * (row + x)] > 100;
        return [...Array(width).keys()].find(isBlue);
      });
    })()`);
    assert(places[0]! > 50 && places[0] === places[1], places.join());
  },
);

await reportTest(
  "settings that differ from the defaults are listed, and the command can be copied",
  () => Promise.resolve(),
  async ({ page }) => {
    const settings = page.locator("section", { has: page.getByRole("heading", { name: "Settings" }) });
    const names = await settings.locator("dt:visible").allTextContents();
    assertEquals(names, ["epochs", "batch size", "lr", "nesterov", "schedule", "log every"]);
    await settings.getByText("The other settings").click();
    assert((await settings.locator("dt:visible").allTextContents()).includes("model"));
    await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
    await settings.getByRole("button", { name: "Copy the command" }).click();
    await settings.getByRole("button", { name: "Copied" }).waitFor();
    const command = "wgrad train --batch-size 64 --lr 0.05 --nesterov --schedule cosine --epochs 10";
    assertEquals(await page.evaluate("navigator.clipboard.readText()"), command);
  },
);

await reportTest(
  "a run that diverged says so in red at the top, and its loss axis has exponents",
  async (folder) => {
    await Deno.remove(join(folder, "evaluation.json"));
    const lines = [1, 2, 3, 4].map((step) => ({ step, epoch: 1, loss: 2 * 1000 ** step, lr: 90, seconds: step }));
    const failed = { step: 4, event: "failed", why: "the loss is NaN at step 5: training diverged", diverged: true };
    await Deno.writeTextFile(metrics(folder), [...lines, failed].map((line) => `${JSON.stringify(line)}\n`).join(""));
  },
  async ({ page }) => {
    assertEquals(await page.locator(".state").textContent(), "diverged");
    const red = "rgb(180, 35, 24)", alert = page.getByRole("alert");
    assertEquals(await alert.allTextContents(), ["Divergedthe loss is NaN at step 5: training diverged"]);
    for (const name of [".alert", ".state"]) {
      assertEquals(await page.evaluate(`getComputedStyle(document.querySelector("${name}")).color`), red);
    }
    const above = await page.evaluate(`document.querySelector(".alert").getBoundingClientRect().bottom <=
      document.querySelector(".figures").getBoundingClientRect().top`);
    assertEquals(above, true);
    const labels = () =>
      page.evaluate<string[]>(
        `charts[charts.findIndex(({ root }) => root.isConnected && root.checkVisibility())].axes[1]._values`,
      );
    // Of a linear axis too.
    for (const linear of [false, true]) {
      if (linear) await page.getByLabel("Log scale").first().uncheck();
      const all = (await labels()).filter((label) => label !== "");
      assert(all.length > 1);
      for (const label of all.filter((label) => label !== "0")) assertMatch(label, /^\d(\.\d+)?e\+\d+$/);
    }
    assertEquals(await page.getByRole("heading", { name: "Events" }).count(), 0); // Its only one is at the top.
  },
);

await reportTest(
  "the pages of a printed report are filled, and nothing on them is cut off",
  () => Promise.resolve(),
  async ({ page }) => {
    // A4 without the margins, at 96 pixels per inch.
    const height = 1017;
    await page.setViewportSize({ width: 688, height });
    await page.evaluate("dispatchEvent(new Event('beforeprint'))");
    await page.emulateMedia({ media: "print" });
    await page.waitForTimeout(200);
    const cut = await page.evaluate<string[]>(`[...document.querySelectorAll(".panel, .scroll")]
    .filter((e) => e.checkVisibility() && e.scrollWidth > e.clientWidth).map((e) => e.textContent.slice(0, 40))`);
    assertEquals(cut, []);
    // The parts that are not broken: each begins a new page if it does not fit.
    const parts = await page.evaluate<{ top: number; bottom: number }[]>(
      `[...document.querySelectorAll("#page > :not(.grid), .grid > *")].filter((e) => e.checkVisibility()).map((e) => {
      const { top, bottom } = e.getBoundingClientRect();
      return { top, bottom };
    })`,
    );
    let start = 0;
    const filled: number[] = [];
    parts.forEach(({ top, bottom }, i) => {
      if (bottom - start <= height) return;
      filled.push((parts[i - 1]!.bottom - start) / height);
      start = top;
    });
    assert(filled.length > 0 && filled.every((share) => share > 0.85), filled.join());
  },
);
