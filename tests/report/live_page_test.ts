/**
 * The live page and the list of runs in a real browser.
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { join } from "node:path";
import { startBrowsing } from "../../src/report/runs_server.ts";
import { type LiveServer, type LiveState, startLive } from "../../src/report/live_server.ts";
import { readRun } from "../../src/report/run_view.ts";
import { withFolder } from "../data/fixtures.ts";
import { testWith } from "../support/tools.ts";
import { open, startBrowser } from "./browser.ts";
import { writeRun } from "./fixtures.ts";

const SIZE = { width: 1000, height: 900 };

/** A test with a browser, which is closed however the test ends. */
function browserTest(name: string, fn: (browser: Awaited<ReturnType<typeof startBrowser>>) => Promise<void>) {
  return testWith("chromium", name, async () => {
    const browser = await startBrowser();
    try {
      await fn(browser);
    } finally {
      await browser.close();
    }
  });
}

/** A run that is made up: it writes and publishes lines of metrics until it is paused or stopped. */
class FakeRun {
  readonly live: LiveServer;
  step = 0;
  lr = 0.1;
  state: LiveState["state"] = "running";
  readonly #timer = setInterval(() => this.#train(), 20);

  constructor(readonly path: string) {
    this.live = startLive({
      port: 0,
      snapshot: () => readRun(path),
      controls: {
        pause: () => this.#become("paused"),
        resume: () => this.#become("running"),
        stop: () => this.#become("finished"),
        setLr: (lr) => this.lr = lr,
      },
    });
  }

  #train() {
    if (this.state !== "running") return;
    this.step += 10;
    const line = {
      step: this.step,
      epoch: 1,
      loss: 1 + 100 / (this.step + 100),
      lr: this.lr,
      imagesPerSecond: 900,
      seconds: this.step / 500,
    };
    Deno.writeTextFileSync(join(this.path, "metrics.jsonl"), `${JSON.stringify(line)}\n`, { append: true });
    this.live.publish("metrics", [line]);
    this.#become("running");
  }

  #become(state: LiveState["state"]) {
    this.state = state;
    const { step, lr } = this;
    const figures = { epoch: 1, lr, secondsLeft: 60 };
    this.live.publish("state", { state, step, totalSteps: 100_000, ...figures });
  }

  async [Symbol.asyncDispose]() {
    clearInterval(this.#timer);
    await this.live.close();
  }
}

await browserTest(
  "the live page draws a run, follows it, and has it paused, changed and stopped",
  (browser) =>
    withFolder(async (folder) => {
      const config = { model: "lenet", data: "synthetic", optimizer: "sgd", batchSize: 2 };
      await Deno.writeTextFile(join(folder, "config.json"), JSON.stringify(config));
      await using run = new FakeRun(folder);
      const { page, complaints, requests } = await open(browser, run.live.url, SIZE);
      /** The step that the page shows. */
      const shown = async () => {
        const text = await page.locator(".facts").textContent();
        return Number(/step ([\d,.\s]+) of/.exec(text!)![1]!.replace(/\D/g, ""));
      };
      const reaches = async (step: number) => {
        while (await shown() < step) await page.waitForTimeout(20);
      };
      await page.locator(".facts", { hasText: "step" }).waitFor();
      await page.locator("canvas").first().waitFor();
      await reaches(await shown() + 100);
      // The line of the loss is drawn: some pixels have its colour.
      const drawn = await page.locator("canvas").first().evaluate((canvas) => {
        const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
        let count = 0;
        for (let i = 0; i < data.length; i += 4) {
          if (
            data[i + 3] > 200 &&
            Math.max(data[i], data[i + 1], data[i + 2]) - Math.min(data[i], data[i + 1], data[i + 2]) > 80
          ) count++;
        }
        return count;
      });
      assert(drawn > 50, `${drawn} coloured pixels`);

      await page.getByRole("button", { name: "Pause" }).click();
      await page.getByRole("button", { name: "Resume" }).waitFor();
      const paused = run.step;
      await reaches(paused);
      await page.waitForTimeout(300); // Whether it stands still, the next lines ask; the wait only gives it time not to.
      assertEquals([run.step, await shown()], [paused, paused]);
      // The bar and the figures have the same loss and the same throughput: 500 steps per second of 2 images each.
      const facts = await page.locator(".facts").textContent(), figures = await page.locator(".figures").textContent();
      const loss = /Training loss, epoch 1(\d\.\d{3})/.exec(figures!)![1];
      assert(facts!.includes(`loss ${loss}1,000 images/s`) && figures!.endsWith("1,000"), `${facts}: ${figures}`);
      assert(!facts!.includes("left"), facts!); // A paused run does not come nearer to its end.
      assertEquals(await page.locator(".said").textContent(), "");

      await page.getByRole("textbox", { name: "Learning rate" }).fill("0.025");
      await page.getByRole("button", { name: "Set" }).click();
      await page.getByText("Learning rate set.").waitFor();
      assertEquals(run.lr, 0.025);
      await page.getByRole("button", { name: "Resume" }).click();
      await reaches(paused + 50);
      assertMatch((await page.locator(".facts").textContent())!, /min 00 s left$/);

      await page.getByRole("button", { name: "Stop and save" }).click();
      await page.locator(".live", { hasText: "finished" }).waitFor();
      assertEquals(run.state, "finished");
      assertEquals(await page.locator(".said").textContent(), ""); // It is over.
      assertEquals(complaints, []);
      const { origin } = new URL(run.live.url);
      assert(requests.every((url) => url.startsWith(`${origin}/`)), requests.join(" "));
    }),
);

await browserTest(
  "a page that nobody sees gives its place away, and one that gets none says so, and tries again",
  (browser) =>
    withFolder(async (folder) => {
      await Deno.writeTextFile(join(folder, "config.json"), "{}");
      await using run = new FakeRun(folder);
      const { page } = await open(browser, run.live.url, SIZE);
      await page.locator("canvas").first().waitFor();
      const show = (hidden: boolean) =>
        page.evaluate(`Object.defineProperty(document, "hidden", { value: ${hidden}, configurable: true });
          document.dispatchEvent(new Event("visibilitychange"));`);
      // All places but the page's own; once it is hidden there is one more.
      const take = () => fetch(run.live.url.replace("/?", "/events?"));
      const others = [];
      for (let i = 0; i < 15; i++) others.push(await take());
      const refused = await take();
      assertEquals(refused.status, 503);
      await refused.text();
      await show(true);
      let last = await take();
      for (; last.status === 503; last = await take()) await last.text();
      await show(false);
      await page.getByText("Too many pages of this run are open").waitFor();
      for (const { body } of [last, ...others]) await body!.cancel();
      await page.getByText("Too many pages of this run are open").waitFor({ state: "hidden" });
      assertEquals(await page.getByRole("button", { name: "Pause" }).isEnabled(), true);
      await run.live.close();
      await page.getByText("The server of the run does not respond").waitFor();
    }),
);

await browserTest(
  "the list of runs leads to a run's page, to a comparison, and back",
  (browser) =>
    withFolder(async (folder) => {
      for (const [i, name] of ["lenet-1", "lenet-2"].entries()) {
        await writeRun(join(folder, name), { lines: 30, seed: i });
      }
      const server = await startBrowsing(folder, { port: 0 });
      await using _ = { [Symbol.asyncDispose]: () => server.close() };
      const { page, complaints } = await open(browser, server.url, SIZE);
      await page.getByRole("link", { name: "lenet-2" }).click();
      await page.getByRole("heading", { name: "lenet-2", level: 1 }).waitFor();
      await page.locator("canvas").first().waitFor();
      await page.getByRole("link", { name: "All runs" }).click();
      for (const name of ["lenet-1", "lenet-2"]) {
        await page.getByRole("checkbox", { name }).check();
      }
      await page.getByRole("button", { name: /compare/i }).click();
      await page.getByRole("heading", { name: "2 runs", level: 1 }).waitFor();
      assertMatch(page.url(), /\/compare\?.*token=/);
      await page.getByRole("link", { name: "All runs" }).click();
      await page.getByRole("heading", { name: "Runs", level: 1 }).waitFor();
      assertEquals(complaints, []);
    }),
);

await browserTest(
  "the list of runs is sorted by any column, shows what is new, and moves a run to the trash",
  (browser) =>
    withFolder(async (folder) => {
      for (const [i, name] of ["lenet-1", "lenet-2", "lenet-10"].entries()) {
        await writeRun(join(folder, name), { lines: 30, seed: i, config: { data: i === 1 ? "other" : "cifar10" } });
        const file = join(folder, name, "run.json"), facts = JSON.parse(await Deno.readTextFile(file));
        const started = `2026-11-2${[3, 5, 4][i]}T10:00:00.000Z`;
        await Deno.writeTextFile(file, JSON.stringify({ ...facts, started }));
      }
      const server = await startBrowsing(folder, { port: 0 });
      await using _ = { [Symbol.asyncDispose]: () => server.close() };
      const { page, complaints } = await open(browser, server.url, SIZE);
      const names = () => page.locator("tbody th").allTextContents();
      assertEquals(await names(), ["lenet-2", "lenet-10", "lenet-1"]); // The newest first.
      assertEquals(await page.locator(".spark").count(), 3);
      const sort = (column: string) => page.getByRole("button", { name: column, exact: true }).click();
      await sort("Run");
      assertEquals(await names(), ["lenet-1", "lenet-2", "lenet-10"]);
      await sort("Run");
      assertEquals(await names(), ["lenet-10", "lenet-2", "lenet-1"]);
      await sort("Data");
      assertEquals((await names()).at(-1), "lenet-2");

      await page.getByRole("checkbox", { name: "lenet-10" }).check();
      await writeRun(join(folder, "lenet-3"), { lines: 30 });
      await page.getByRole("link", { name: "lenet-3" }).waitFor();
      assertEquals(await page.getByRole("checkbox", { name: "lenet-10" }).isChecked(), true);

      await page.getByRole("button", { name: "Delete lenet-10" }).click();
      await page.getByRole("button", { name: "Cancel" }).click();
      assert((await Deno.stat(join(folder, "lenet-10"))).isDirectory);
      await page.getByRole("button", { name: "Delete lenet-10" }).click();
      await page.getByRole("button", { name: "Move to the trash" }).click();
      await page.getByRole("link", { name: "lenet-10" }).waitFor({ state: "detached" });
      assert((await Deno.stat(join(folder, ".trash", "lenet-10", "config.json"))).isFile);
      assertEquals([...Deno.readDirSync(folder)].map(({ name }) => name).sort(), [
        ".trash",
        "lenet-1",
        "lenet-2",
        "lenet-3",
      ]);
      assertEquals(complaints, []);
    }),
);
