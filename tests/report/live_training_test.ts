/**
 * The live page of a run that really trains, in a real browser: `wgrad train --dashboard`, and the report in the end.
 */
import { assert, assertEquals } from "@std/assert";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { namesIn as namesOf, readCheckpoint } from "../../src/run/checkpoints.ts";
import type { Checkpoint } from "../../src/run/checkpoint.ts";
import { metricsOf, wgrad } from "../cli/support.ts";
import { withFolder } from "../data/fixtures.ts";
import { testWith } from "../support/tools.ts";
import { open, startBrowser, type Watched } from "./browser.ts";
import { exchange } from "./raw_http.ts";

type Browser = Awaited<ReturnType<typeof startBrowser>>;

const SIZE = { width: 1000, height: 900 };
const TRAIN = "train --data synthetic --epochs 1000 --log-every 50 --save-every 200 --keep 9999 --name run".split(" ");

/** Of each chart: how many pixels have a strong colour, as only curves have, the steps that it shows, and those it has. */
const CHARTS =
  `charts.filter(({ root }) => root.isConnected).map(({ ctx: { canvas }, scales: { x }, data: [steps] }) => {
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  let coloured = 0;
  for (let i = 0; i < data.length; i += 4) {
    const [r, g, b, a] = data.subarray(i, i + 4);
    if (a > 200 && Math.max(r, g, b) - Math.min(r, g, b) > 80) coloured++;
  }
  return { coloured, shown: [x.min, x.max], has: [steps[0], steps.at(-1)] };
})`;

/** Asserts that a page's charts show their curves, from the first step to the last. */
async function assertDrawn(page: Watched["page"], charts: number): Promise<void> {
  const drawn = await page.evaluate<{ coloured: number; shown: number[]; has: number[] }[]>(CHARTS);
  assertEquals(drawn.length, charts);
  for (const { coloured, shown, has } of drawn) {
    assertEquals(shown, has);
    assert(coloured > 50, `${coloured} pixels`);
  }
}

/** Runs `wgrad` with a page, and gives its address to `use`; the run must end by what that does. */
async function withPage(folder: string, args: readonly string[], use: (url: string) => Promise<void>) {
  const found = Promise.withResolvers<string>();
  let child: Deno.ChildProcess;
  const ended = wgrad(folder, [...args, "--dashboard", "0"], (_, lines) => {
    const url = lines.find((line) => line.startsWith("dashboard: http"))?.slice(11);
    if (url) found.resolve(url);
  }, (spawned) => child = spawned);
  ended.then(({ err }) => found.reject(new Error(`no address: ${err.join("\n")}`)));
  try {
    await use(await found.promise);
  } catch (error) {
    await child![Symbol.asyncDispose](); // Kills it, if it still runs.
    throw error;
  }
  return await ended;
}

/** The statuses of requests that must be refused. */
async function intrude(url: string): Promise<Record<string, number>> {
  const { host, port, search } = new URL(url), stop = '{"action":"stop"}';
  const post = (query: string, ...headers: string[]) =>
    exchange(url, [
      ...[`POST /control${query} HTTP/1.1`, "content-type: application/json", `content-length: ${stop.length}`],
      ...headers,
    ], stop);
  const get = (path: string, name: string) => exchange(url, [`GET ${path} HTTP/1.1`, `host: ${name}`]);
  const answers = {
    "page without the token": get("/", host),
    "events without the token": get("/events", host),
    "control without the token": post("", `host: ${host}`),
    "control with another token": post(`?token=${"A".repeat(32)}`, `host: ${host}`),
    "control from another site": post(search, `host: ${host}`, "origin: http://evil.example"),
    "page by another name": get(`/${search}`, `evil.example:${port}`),
    "control by another name": post(search, `host: evil.example:${port}`),
  };
  const statuses = Object.entries(answers).map(async ([name, answer]) => [name, (await answer).status]);
  return Object.fromEntries(await Promise.all(statuses));
}

/** What the bar of a live page says, and its buttons. */
class Bar {
  constructor(readonly page: Watched["page"]) {}

  async #fact(pattern: RegExp): Promise<number> {
    const text = (await this.page.locator(".facts").textContent())!;
    return Number(pattern.exec(text)?.[1]?.replaceAll(",", ""));
  }

  step = () => this.#fact(/step ([\d,]+) of/);
  loss = () => this.#fact(/loss (\d+\.\d+)/);

  async reaches(step: number): Promise<void> {
    while (!(await this.step() >= step)) await this.page.waitForTimeout(100);
  }

  press = (name: string) => this.page.getByRole("button", { name }).click();

  /** @returns the steps that were submitted before, as the page shows them. */
  async setRate(from: number, to: number): Promise<number> {
    await this.page.getByRole("textbox", { name: "Learning rate" }).fill(`${to}`);
    await this.press("Set");
    const event = await this.page.locator(".events li", { hasText: `(from ${from}, to ${to})` }).textContent();
    return Number(/^Step ([\d,]+): lr/.exec(event!)![1]!.replaceAll(",", ""));
  }
}

/** The weights of the first layer. */
const weightsOf = ({ tensors }: Checkpoint) => tensors.get("model.conv1.weight")!.data;

async function train(browser: Browser, folder: string): Promise<number> {
  const run = join(folder, "runs", "run");
  let last = 0;
  const { code, out, err } = await withPage(folder, TRAIN, async (url) => {
    const { page, complaints, requests } = await open(browser, url, SIZE), bar = new Bar(page);
    await page.locator(".facts", { hasText: "step" }).waitFor();
    await page.locator("canvas").first().waitFor();
    const [step, loss] = [await bar.step(), await bar.loss()];
    await bar.reaches(step + 300);
    assert(await bar.loss() !== loss, "another loss");
    await assertDrawn(page, 4);
    assertEquals(new Set(Object.values(await intrude(url))), new Set([403]), JSON.stringify(await intrude(url)));

    await bar.press("Pause");
    await page.getByRole("button", { name: "Resume" }).waitFor();
    // The steps under way are done still. More are not, for which it is given a moment.
    const paused = await bar.setRate(0.001, 0.003);
    await bar.reaches(paused);
    const before = metricsOf(run);
    await page.waitForTimeout(700);
    assertEquals([await bar.setRate(0.003, 0.004), await bar.step()], [paused, paused]);
    assertEquals(metricsOf(run), [...before, { step: paused, event: "lr", from: 0.003, to: 0.004 } as never]);
    await bar.press("Resume");
    await bar.reaches(paused + 300);

    // Without a rate the weights stay as they are; then it is set again, which needs no pause.
    const still = await bar.setRate(0.004, 0);
    await bar.reaches(still + 500);
    const on = await bar.setRate(0, 0.002);
    await bar.reaches(on + 300);
    const rates = metricsOf(run).filter((line) => "loss" in line).map(({ step, lr }) => [step, lr]);
    assertEquals(
      rates,
      rates.map(([step]) => [step, step! <= paused ? 0.001 : step! <= still ? 0.004 : step! <= on ? 0 : 0.002]),
    );

    await bar.press("Stop and save");
    await page.locator(".live", { hasText: "ended early" }).waitFor();
    await page.getByRole("heading", { name: "Confusion matrix" }).waitFor();
    assertEquals(await page.locator(".said").textContent(), "");
    last = await bar.step();
    assertEquals(complaints, []);
    const { origin } = new URL(url);
    assert(requests.every((url) => url.startsWith(`${origin}/`)), requests.join(" "));

    const folder = join(run, "checkpoints");
    const names = (await namesOf(folder)).filter((name) => name.startsWith("step-")).sort();
    const checkpoints = await Promise.all(names.map(async (name) => (await readCheckpoint(join(folder, name)))!));
    const [first, ...others] = checkpoints.filter(({ state: { step } }) => step >= still && step <= on);
    assert(others.length > 0);
    for (const one of others) assertEquals(weightsOf(one), weightsOf(first!));
    assert(weightsOf(checkpoints[0]!).join() !== weightsOf(first!).join(), "weights before");
    assert(weightsOf(checkpoints.at(-1)!).join() !== weightsOf(first!).join(), "weights after");
    const newest = (await readCheckpoint(join(folder, "last.safetensors")))!;
    assertEquals([newest.state.step, newest.state.rateScale], [last, 2]);
  });
  // The run was tested and reported like one that has finished; but it can go on.
  assertEquals(code, 0, err.join("\n"));
  assert(out.some((line) => line.startsWith(`Stopped early: ${last} steps in `)), out.join("\n"));
  assert(out.some((line) => / 2000 SYNTHETIC test images: \d+/.test(line)), out.join("\n"));
  const ends = [
    `Resume with: wgrad train --resume ${join("runs", "run")}`,
    `report: ${join(run, "report.html")}`,
  ];
  assertEquals(out.filter((line) => /^(Resume with|report):/.test(line)), ends);
  const { accuracy } = JSON.parse(await Deno.readTextFile(join(run, "evaluation.json")));
  assertEquals(metricsOf(run).slice(-2).map(({ step, event, testAccuracy }) => [step, event, testAccuracy]), [
    [last, "stop", undefined],
    [last, undefined, accuracy],
  ]);
  return last;
}

async function goOn(browser: Browser, folder: string, from: number): Promise<void> {
  const run = join(folder, "runs", "run"), end = from + 300;
  const flags = ["train", "--resume", "run", "--max-steps", `${end}`, "--force"];
  const { code, out, err } = await withPage(folder, flags, async (url) => {
    const { page, complaints } = await open(browser, url, SIZE), bar = new Bar(page);
    await page.locator(".facts", { hasText: `of ${end.toLocaleString("en")}` }).waitFor();
    assert(await bar.step() >= from);
    await page.getByText(`Step ${from.toLocaleString("en")}: resume`).waitFor();
    // The evaluation comes to the open page too.
    await page.getByRole("heading", { name: "Confusion matrix" }).waitFor();
    await page.locator(".live", { hasText: "finished" }).waitFor();
    assertEquals([await bar.step(), complaints], [end, []]);
  });
  assertEquals(code, 0, err.join("\n"));
  assert(out.includes(`resuming at step ${from} of ${end}`), out.join("\n"));
  const lines = metricsOf(run);
  assertEquals(lines.at(-1)!.step, end);
  assertEquals(lines.filter((line) => "loss" in line).at(-1)!.lr, 0.002);
}

async function report(browser: Browser, folder: string): Promise<void> {
  const url = pathToFileURL(join(folder, "runs", "run", "report.html")).href;
  const { page, complaints, requests } = await open(browser, url, SIZE);
  await assertDrawn(page, 4);
  const { accuracy, confusion, mistakes } = JSON.parse(
    await Deno.readTextFile(join(folder, "runs", "run", "evaluation.json")),
  );
  const cells = await page.locator(".confusion tbody td").allTextContents();
  assertEquals(cells.map((text) => Number(text.replaceAll(",", ""))), confusion.flat());
  assertEquals(await page.locator(".figures dd").first().textContent(), `${(100 * accuracy).toFixed(2)} %`);
  assertEquals(await page.locator(".mistakes figure").count(), Math.min(24, mistakes.length));
  assert(mistakes.length > 0 && await page.locator(".filters img").count() === 6);
  assertEquals([complaints, requests], [[], [url]]);
}

await testWith(
  "chromium",
  "a run that trains, its live page, and its report in a browser",
  () =>
    withFolder(async (folder) => {
      const browser = await startBrowser();
      try {
        await goOn(browser, folder, await train(browser, folder));
        await report(browser, folder);
      } finally {
        await browser.close();
      }
    }),
);
