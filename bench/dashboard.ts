/**
 * Measures what the live page costs a run. It runs `wgrad train` without a page, with a page that is not open, and with an open
 * page, in several rounds and in alternating order. The result is the median of the ratios of each round. If other programs
 * run too, the fastest runs say more, because they were disturbed least.
 *
 *     deno run -A bench/dashboard.ts [--rounds 5] [--steps 800] [--batch-size 32] [--browser]
 *
 * An open page is a client in this process that reads all events, or with `--browser` a tab in Chromium. On a machine without a
 * GPU, drawing in the browser takes processor time from the run.
 *
 * @module
 */
import { parseArgs } from "@std/cli/parse-args";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const root = resolve(fileURLToPath(import.meta.url), "../.."),
  folder = await Deno.makeTempDir({ prefix: "wgrad-page-" });
const { rounds, steps, "batch-size": batch, browser: drawn } = parseArgs(Deno.args, {
  string: ["rounds", "steps", "batch-size"],
  boolean: ["browser"],
  default: { rounds: "5", steps: "800", "batch-size": "32" },
});
const browser = drawn ? await (await import("../tests/report/browser.ts")).startBrowser() : null;
const MODES = ["no page", "served", "open"] as const;

/** Reads all events of a page. @returns the number of bytes. */
async function listen(url: string): Promise<number> {
  let bytes = 0;
  for await (const part of (await fetch(url.replace("/?", "/events?"))).body!) bytes += part.length;
  return bytes;
}

/** Runs a training. @returns its steps per second, without the first steps, during which kernels are compiled. */
async function train(mode: typeof MODES[number], name: string): Promise<number> {
  const args = ["--data", "synthetic", "--epochs", "1000", "--batch-size", batch, "--max-steps", steps, "--lr", "0.01"];
  const child = new Deno.Command(Deno.execPath(), {
    args: ["task", "-q", "wgrad", "train", ...args, "--log-every", "20", "--out", folder, "--name", name]
      .concat(mode === "no page" ? [] : ["--dashboard", "0"]),
    cwd: root,
    env: { XDG_RUNTIME_DIR: folder, NO_COLOR: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const errors = new Response(child.stderr).text();
  let text = "", page: Promise<unknown> | undefined;
  for await (const part of child.stdout.pipeThrough(new TextDecoderStream())) {
    text += part;
    const url = mode === "open" && !page && /^dashboard: (http\S+)\n/m.exec(text)?.[1];
    if (url) page = browser ? browser.newPage().then((tab) => tab.goto(url)) : listen(url);
  }
  if (!(await child.status).success || (mode === "open" && !page)) throw new Error(`the run failed: ${await errors}`);
  const bytes = await page;
  if (bytes === 0) throw new Error("the page received no events");
  for (const tab of browser?.contexts() ?? []) await tab.close();
  const metrics = (await Deno.readTextFile(join(folder, name, "metrics.jsonl"))).trim().split("\n");
  const lines: { step: number; seconds: number }[] = metrics.map((line) => JSON.parse(line)).filter(({ loss }) => loss);
  const first = lines[Math.floor(lines.length / 8)]!, last = lines.at(-1)!;
  return (last.step - first.step) / (last.seconds - first.seconds);
}

const median = (numbers: readonly number[]) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)]!;

try {
  const rates = MODES.map((): number[] => []);
  for (let round = 0; round < Number(rounds); round++) {
    const order = [...MODES.keys()];
    for (const i of round % 2 ? order.reverse() : order) rates[i]!.push(await train(MODES[i]!, `${round}-${i}`));
    console.error(
      `round ${round + 1}: ${MODES.map((mode, i) => `${mode} ${rates[i]![round]!.toFixed(1)}`).join(", ")} steps/s`,
    );
  }
  console.log("| page | steps/s, median | of the rate without, median | fastest | of the fastest without |");
  console.log("| --- | --- | --- | --- | --- |");
  MODES.forEach((mode, i) => {
    const ratio = median(rates[i]!.map((rate, round) => rate / rates[0]![round]!));
    const fastest = Math.max(...rates[i]!), percent = (share: number) => `${(100 * share).toFixed(1)} %`;
    const most = percent(fastest / Math.max(...rates[0]!));
    console.log(`| ${mode} | ${median(rates[i]!).toFixed(1)} | ${percent(ratio)} | ${fastest.toFixed(1)} | ${most} |`);
  });
} finally {
  await browser?.close();
  await Deno.remove(folder, { recursive: true });
}
