import { assert, assertEquals, assertMatch, assertNotEquals } from "@std/assert";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { browsePage, comparePage, listedRun } from "../../src/report/page.ts";
import { writeReport } from "../../src/report/report_file.ts";
import { readRun } from "../../src/report/run_view.ts";
import { testWith } from "../support/tools.ts";
import { open, startBrowser } from "./browser.ts";
import { writeRun } from "./fixtures.ts";

/** Colours of each chart's canvas, the most frequent first, leaving out what is transparent. */
const COLOURS = `[...document.querySelectorAll("canvas")].map((canvas) => {
  const { width, height } = canvas, copy = new OffscreenCanvas(width, height), counts = new Map();
  const painter = copy.getContext("2d", { willReadFrequently: true });
  painter.drawImage(canvas, 0, 0);
  const { data } = painter.getImageData(0, 0, width, height);
  for (let i = 0; i < data.length; i += 4) {
    if (data[i + 3] === 255) {
      const colour = data.slice(i, i + 3).join();
      counts.set(colour, (counts.get(colour) ?? 0) + 1);
    }
  }
  return [...counts].sort((a, b) => b[1] - a[1]).map(([colour]) => colour);
})`;

/** Whether the grid of a chart has the colour that it has on light ground. */
const isLight = (colours: string[]) => colours.includes("226,230,235");

/** Two frames: in the first the page hears of other media, and has drawn by the second. */
const FRAMES = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))";

/** Texts whose contrast with what is behind them is less than 4.5. */
const FAINT = `(() => {
  const painter = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (colour) => {
    painter.clearRect(0, 0, 1, 1);
    painter.fillStyle = colour;
    painter.fillRect(0, 0, 1, 1);
    return [...painter.getImageData(0, 0, 1, 1).data];
  };
  const luminance = (rgb) => rgb.slice(0, 3).reduce((sum, c, i) => {
    const v = c / 255;
    return sum + [0.2126, 0.7152, 0.0722][i] * (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  }, 0);
  return [...document.querySelectorAll("#page *")].filter((element) => {
    if (!element.checkVisibility() || ![...element.childNodes].some((n) => n.nodeType === 3 && n.data.trim())) return false;
    const layers = [];
    for (let e = element; e !== null; e = e.parentElement) layers.unshift(rgba(getComputedStyle(e).backgroundColor));
    const behind = layers.reduce((below, [r, g, b, a]) => [r, g, b].map((c, i) => below[i] + (c - below[i]) * a / 255), [0, 0, 0]);
    const [a, b] = [luminance(rgba(getComputedStyle(element).color)), luminance(behind)].sort((a, b) => b - a);
    return (a + 0.05) / (b + 0.05) < 4.5;
  }).map((element) => element.outerHTML.slice(0, 200));
})()`;

/** The accuracy of the made-up run, and the share of its most frequent class. */
const CHANCE = /^Test accuracy58\.53 %chance: 10\.\d %$/;

const OVERFLOW = "document.documentElement.scrollWidth - innerWidth";
const NAMES =
  `[...document.querySelectorAll("canvas")].map((canvas) => canvas.getAttribute("aria-label").split(":")[0])`;

await testWith("chromium", "the pages in a browser", async (_, t) => {
  const browser = await startBrowser();
  const step = (name: string, use: (folder: string) => Promise<void>) =>
    t.step(name, async () => {
      const folder = await Deno.makeTempDir();
      try {
        await use(folder);
      } finally {
        await Deno.remove(folder, { recursive: true });
      }
    });
  try {
    await step(
      "report.html draws itself on a phone, wide, dark and on paper, and asks the network for nothing",
      async (folder) => {
        const run = join(folder, "lenet-1");
        await writeRun(run);
        const url = pathToFileURL(await writeReport(run)).href;
        const { page, complaints, requests } = await open(browser, url, { width: 360, height: 640 });
        assertEquals(
          await page.evaluate(NAMES),
          ["Accuracy", "Loss", "Learning rate", "Throughput (images/s, as measured)"].map((name) =>
            `${name} over steps`
          ),
        );
        assertEquals(await page.evaluate(OVERFLOW), 0);
        assertEquals(await page.evaluate(FAINT), []);
        const light = await page.evaluate<string[][]>(COLOURS);
        // Each has its curve in its own colour, besides the grid and the labels.
        assert(light[1]!.includes("29,78,216") && light[0]!.includes("194,87,12"), JSON.stringify(light[0]));
        assert(light.every((colours) => colours.length > 3) && light.every(isLight));
        assertEquals(await page.title(), "lenet-1 – wgrad");
        assertEquals(await page.locator("img:not([alt])").count(), 0);
        assertEquals(await page.locator(".confusion tbody td").count(), 100);
        assertEquals(await page.locator(".mistakes figure").count(), 24);
        assertEquals(await page.locator(".filters img").count(), 16);
        // The result first, and what chance would give.
        assertMatch((await page.locator(".figures div").first().textContent())!, CHANCE);

        await page.emulateMedia({ colorScheme: "dark" });
        await page.evaluate(FRAMES);
        const dark = await page.evaluate<string[][]>(COLOURS);
        assertEquals(dark.map(isLight), [false, false, false, false]);
        assertEquals(await page.evaluate(FAINT), []);

        // On paper it is light, also where the screen is dark.
        await page.evaluate("dispatchEvent(new Event('beforeprint'))");
        assertEquals((await page.evaluate<string[][]>(COLOURS)).map(isLight), [true, true, true, true]);
        await page.emulateMedia({ media: "print", colorScheme: "dark" });
        await page.evaluate(FRAMES);
        assertEquals((await page.evaluate<string[][]>(COLOURS)).map(isLight), [true, true, true, true]);
        assertEquals(await page.evaluate(FAINT), []);
        assertEquals(await page.getByLabel("Smooth").first().isVisible(), false);

        assertEquals(complaints, []);
        assertEquals(requests, [url]);
      },
    );
    await step(
      "charts tell values where the reader points, and can be logarithmic and unsmoothed",
      async (folder) => {
        await writeRun(folder);
        const url = pathToFileURL(await writeReport(folder)).href;
        const { page, complaints } = await open(browser, url, { width: 1200, height: 800 });
        const legend = page.locator(".u-legend").nth(1), values = () => legend.locator(".u-value").allTextContents();
        const names = () => legend.locator(".u-label").allTextContents();
        assertEquals(await names(), ["step", "training", "training, smoothed", "validation", "test"]);
        const idle = await values();
        assertEquals([idle[0], idle.at(-1)], ["7,800", "1.210"]);
        await page.locator(".u-over").nth(1).hover({ position: { x: 100, y: 50 } });
        const pointed = await values();
        assert(Number(pointed[0]!.replace(",", "")) < 4000 && Number(pointed[2]) > Number(idle[2]), pointed.join());
        assert(pointed.every((value) => value !== "–"), pointed.join());
        const before = await page.evaluate<string[][]>(COLOURS);
        await page.getByLabel("Log scale").first().check();
        await page.getByLabel("Smooth").nth(1).uncheck();
        assertEquals(await names(), ["step", "training", "validation", "test"]);
        assertNotEquals((await page.evaluate<string[][]>(COLOURS))[1], before[1]);
        assertEquals(complaints, []);
      },
    );
    await step(
      "24 runs have 24 looks; axes are named; a changed rate and a damaged line are told",
      async (folder) => {
        await writeRun(join(folder, "a"), { lines: 20 });
        const text = '{"step":1300,"event":"lr","from":0.05,"to":0.01}\n{\n';
        await Deno.writeTextFile(join(folder, "a", "metrics.jsonl"), text, { append: true });
        const run = await readRun(join(folder, "a")), file = join(folder, "c.html");
        const runs = Array.from({ length: 24 }, (_, i) => ({ ...run, name: `run ${i}` }));
        await Deno.writeTextFile(file, comparePage(runs));
        const compared = await open(browser, pathToFileURL(file).href, { width: 1200, height: 800 });
        const looks = await compared.page.evaluate<string[][]>(`[".swatch", ".u-legend:first-of-type .u-marker"].map(
          (name) => [...document.querySelectorAll(name)].slice(-24).map((box) => getComputedStyle(box).background))`);
        for (const some of looks) assertEquals(new Set(some).size, 24);
        const AXES = "charts.filter(({ root }) => root.isConnected).map(({ axes: [x] }) => x.label).join()";
        assertEquals(await compared.page.evaluate(AXES), "epoch,epoch,epoch,epoch,epoch");
        const ends = "charts.filter(({ root }) => root.isConnected).map(({ data: [x] }) => Math.round(x.at(-1)))[0]";
        for (
          const [axis, label, end] of [["images", "images", 166256], ["time", "time", 14], ["steps", "step", 2600]]
        ) {
          await compared.page.getByLabel("Horizontal axis").selectOption(axis as string);
          assertEquals(await compared.page.evaluate(AXES), Array(5).fill(label).join());
          assertEquals(await compared.page.evaluate(ends), end);
        }

        const { page } = await open(browser, pathToFileURL(await writeReport(join(folder, "a"))).href, {
          width: 1200,
          height: 800,
        });
        await page.getByText("1 line of metrics.jsonl could not be read.").waitFor();
        await page.getByText("0.05, then changed").waitFor();
        assertEquals([...compared.complaints], []);
      },
    );
    await step("the pages of several runs and of the list draw themselves", async (folder) => {
      await writeRun(join(folder, "a"));
      await writeRun(join(folder, "b"), { config: { lr: 0.1 }, lines: 5000 });
      const runs = await Promise.all(["a", "b"].map((name) => readRun(join(folder, name))));
      const write = async (name: string, page: string) => {
        await Deno.writeTextFile(join(folder, name), page);
        return pathToFileURL(join(folder, name)).href;
      };
      const compared = await open(browser, await write("c.html", comparePage(runs)), {
        width: 360,
        height: 640,
        dark: true,
      });
      assertEquals(await compared.page.evaluate("document.querySelectorAll('canvas').length"), 5);
      const colours = await compared.page.evaluate<string[][]>(COLOURS);
      assert(colours.every((colours) => colours.includes("122,167,255") && colours.includes("255,157,87")));
      const rows = (heading: string) =>
        compared.page.locator("section", { hasText: heading }).locator("tbody th").allTextContents();
      assertEquals(await rows("Settings that differ"), ["lr"]);
      assert((await rows("Results")).includes("test accuracy"));
      assertEquals((await compared.page.locator("h2").allTextContents()).slice(0, 2), [
        "Results",
        "Settings that differ",
      ]);
      assertEquals([await compared.page.evaluate(OVERFLOW), await compared.page.evaluate(FAINT)], [0, []]);
      await compared.page.getByLabel("Horizontal axis").selectOption("time");
      assertEquals(await compared.page.locator(".u-label").first().textContent(), "time");
      const values = await compared.page.locator(".u-legend").first().locator(".u-value").allTextContents();
      const measured = runs.map(({ series }) => series.curves.loss!.y.at(-1)!.toFixed(3));
      for (const [i, one] of measured.entries()) {
        assertMatch(values[i + 1]!, new RegExp(`^${one} \\(smoothed \\d\\.\\d+\\)$`));
      }

      const list = await write(
        "l.html",
        browsePage("runs", [...runs.map(listedRun), { name: "bad", error: "bad holds no run" }]),
      );
      const { page, complaints } = await open(browser, `${list}?token=t`, { width: 360, height: 640 });
      assertEquals([await page.evaluate(OVERFLOW), await page.evaluate(FAINT)], [0, []]);
      const button = page.getByRole("button", { name: /^Compare/ });
      assertEquals([await button.isEnabled(), await button.textContent()], [false, "Compare"]);
      await page.getByLabel("Compare a", { exact: true }).check();
      await page.getByLabel("Compare b", { exact: true }).check();
      assertEquals([await button.isEnabled(), await button.textContent()], [true, "Compare 2 runs"]);
      assertEquals(await page.getByRole("link", { name: "a", exact: true }).getAttribute("href"), "run/a?token=t");
      assertEquals(await page.getByLabel("Compare bad").isEnabled(), false);
      assertEquals([...complaints, ...compared.complaints], []);
    });
  } finally {
    await browser.close();
  }
});
