/**
 * `wgrad train --resume`: which run is meant, what may be different, and what the folder holds afterwards.
 */
import { assert, assertEquals, assertMatch, assertRejects, assertThrows } from "@std/assert";
import { join } from "node:path";
import { command } from "../../src/cli/train.ts";
import { parse } from "../../src/cli/flags.ts";
import { openSynthetic } from "../../src/data/synthetic.ts";
import { UsageError } from "../../src/errors.ts";
import { makeConfig } from "../../src/config/config.ts";
import { resumedConfig } from "../../src/run/resume.ts";
import { camelCase, type Setting, type Value } from "../../src/config/setting.ts";
import { type GivenConfig, SETTINGS } from "../../src/config/settings.ts";
import { VERSION } from "../../src/version.ts";
import { bytesOf, withFolder } from "../data/fixtures.ts";
import { metricsOf, namesIn, wgrad, writeData } from "./support.ts";

const weightsOf = (folder: string, run: string) => Deno.readFileSync(join(folder, "runs", run, "model.safetensors"));
const runFileOf = (folder: string, run: string) =>
  JSON.parse(Deno.readTextFileSync(join(folder, "runs", run, "run.json")));

/** Copies a run's folder. Its checkpoints are no links to those of the other. */
async function copy(folder: string, from: string, to: string): Promise<string> {
  const [source, target] = [from, to].map((name) => join(folder, "runs", name)) as [string, string];
  await Deno.mkdir(join(target, "checkpoints"), { recursive: true });
  for (const name of namesIn(source)) {
    if (name !== "checkpoints") await Deno.copyFile(join(source, name), join(target, name));
  }
  const checkpoints = (run: string, name: string) => join(run, "checkpoints", name);
  for (const name of namesIn(join(source, "checkpoints"))) {
    await Deno.copyFile(checkpoints(source, name), checkpoints(target, name));
  }
  return target;
}

/** The run as it was before its test at the end. */
async function unfinish(run: string): Promise<void> {
  const file = join(run, "run.json"), { finished: _, ...rest } = JSON.parse(await Deno.readTextFile(file));
  await Deno.writeTextFile(file, JSON.stringify(rest));
  for (const name of ["model.safetensors", "evaluation.json", "report.html"]) await Deno.remove(join(run, name));
}

Deno.test("a run goes on by its name, its folder or a checkpoint, to the same weights; what is damaged is passed over", () =>
  withFolder(async (folder) => {
    await writeData(folder, 44);
    const init = await wgrad(folder, ["train", "--data", "data", "--max-steps", "1", "--name", "init", "--seed", "9"]);
    assertEquals(init.code, 0, init.err.join("\n"));
    await Deno.copyFile(join(folder, "runs", "init", "model.safetensors"), join(folder, "w.safetensors"));
    const saving = ["--save-every", "5", "--keep", "9", "--log-every", "5", "--optimizer", "adam"];
    const tuning = ["--init", "w.safetensors", "--freeze", "conv1"];
    const args = ["train", "--data", "data", ...tuning, "--name", "plain", ...saving];
    const plain = await wgrad(folder, args);
    assertEquals(plain.code, 0, plain.err.join("\n"));
    for (const line of ["weights from w.safetensors", "frozen: conv1.weight, conv1.bias"]) {
      assert(plain.out.includes(line), plain.out.join("\n"));
    }
    const first = runFileOf(folder, "plain");
    assertEquals(Object.keys(first), [
      ...["wgrad", "command", "started", "seed", "data", "adapter", "os", "arch", "deno", "v8", "resumed", "finished"],
    ]);
    assertEquals([first.wgrad, first.command, first.seed, first.resumed], [
      ...[VERSION, ["wgrad", ...args].join(" "), 0, []],
    ]);
    assertEquals([first.data.name, first.data.images, first.os, first.arch, first.deno, first.v8], [
      ...["data", 44, Deno.build.os, Deno.build.arch, Deno.version.deno, Deno.version.v8],
    ]);
    assert(Date.parse(first.started) < Date.parse(first.finished) && first.adapter.name.length > 0);

    // Cut short, as by a machine that stops; the weights that it began with are gone, and not needed.
    const cut = await copy(folder, "plain", "cut");
    await unfinish(cut);
    await Deno.remove(join(folder, "w.safetensors"));
    const names = ["step-000000022", "last", "step-000000020"].map((name) =>
      join("checkpoints", `${name}.safetensors`)
    );
    for (const name of names) await Deno.truncate(join(cut, name), 1000);
    const resumed = await wgrad(folder, ["train", "--resume", "cut", "--keep", "2", "--log-every", "3"]);
    assertEquals(resumed.code, 0, resumed.err.join("\n"));
    const warnings = resumed.err.filter((line) => line.startsWith("WARNING"));
    assertEquals(warnings.length, 2);
    for (const [i, step] of [22, 20].entries()) {
      const file = join("runs", "cut", "checkpoints", `step-0000000${step}.safetensors`);
      assert(
        warnings[i]!.startsWith(`WARNING: ${file}`) && warnings[i]!.endsWith(": the one before it is used"),
        warnings[i],
      );
    }
    assert(resumed.out.includes("resuming at step 15 of 22"), resumed.out.join("\n"));
    assert(!resumed.out.some((line) => line.startsWith("weights from")), resumed.out.join("\n"));
    assertEquals(weightsOf(folder, "cut"), weightsOf(folder, "plain"));
    const kept = ["last.safetensors", "step-000000020.safetensors", "step-000000022.safetensors"];
    assertEquals(namesIn(join(cut, "checkpoints")), kept);
    const { resumed: times, finished, ...before } = runFileOf(folder, "cut"),
      { resumed: _, finished: __, ...of } = first;
    assertEquals(before, of);
    assertEquals([times.length, times[0].step, times[0].command], [
      ...[1, 15, "wgrad train --resume cut --keep 2 --log-every 3"],
    ]);
    assert(Date.parse(times[0].started) < Date.parse(finished));
    const metrics = metricsOf(cut);
    assertEquals(metrics.filter(({ event }) => event), [{ step: 15, event: "resume" }] as unknown[]);
    assertEquals(metrics.filter(({ testLoss }) => testLoss).map(({ step }) => step), [22]);
    const { keep, logEvery, saveEvery } = JSON.parse(await Deno.readTextFile(join(cut, "config.json")));
    assertEquals([keep, logEvery, saveEvery], [2, 3, 5]);

    // An earlier checkpoint by its file: those after it are of a time that has not come.
    const file = join("runs", "plain", "checkpoints", "step-000000010.safetensors");
    const earlier = await wgrad(folder, ["train", "--resume", file, "--max-steps", "12", "--force"]);
    assertEquals(earlier.code, 0, earlier.err.join("\n"));
    assert(earlier.out.includes("resuming at step 10 of 12"), earlier.out.join("\n"));
    assertEquals(namesIn(join(folder, "runs", "plain", "checkpoints")), [
      "last.safetensors",
      ...[5, 10, 11, 12].map((step) => `step-${String(step).padStart(9, "0")}.safetensors`),
    ]);
    assertEquals(metricsOf(join(folder, "runs", "plain")).map(({ step }) => step), [
      ...[1, 2, 3, 4, 5, 6, 7, 8, 9, 10], // The steps before,
      ...[10, 11, 12, 12], // and the resume, the steps since, and the test.
    ]);
    assertEquals(runFileOf(folder, "plain").resumed.length, 1);

    // One that has come to its end.
    const over = await wgrad(folder, ["train", "--resume", "cut", "--json"]);
    assertEquals([over.code, over.out.map((line) => JSON.parse(line)), over.err], [
      ...[0, [{ out: join("runs", "cut"), finished: true }]],
      [`${join("runs", "cut")} has finished: its weights are in ${join("runs", "cut", "model.safetensors")}`],
    ]);
    const again = await wgrad(folder, ["train", "--resume", join(folder, "runs", "cut"), "--keep", "5"]);
    assertEquals([again.code, again.out.length, again.err], [0, 1, []]);
  }));

Deno.test("other images, another model or averages that there are not: refused, and the run's folder is as it was", () =>
  withFolder(async (folder) => {
    await writeData(folder, 44);
    const { code, err } = await wgrad(folder, ["train", "--data", "data", "--epochs", "1", "--name", "run"]);
    assertEquals(code, 0, err.join("\n"));
    const run = join(folder, "runs", "run");
    await unfinish(run);
    const state = () =>
      new Map(
        [...namesIn(run), ...namesIn(join(run, "checkpoints")).map((name) => join("checkpoints", name))]
          .filter((name) => name !== "checkpoints").map((name) => [name, Deno.readFileSync(join(run, name))]),
      );
    const before = state(),
      refused = async (code: number, message: RegExp, ...args: string[]) => {
        const again = await wgrad(folder, ["train", "--resume", "run", ...args]);
        assertEquals([again.code, again.err.filter((line) => line.startsWith("error:")).length], [code, 1]);
        assertMatch(again.err.at(-1)!, message);
        assertEquals(state(), before);
      };
    await refused(
      1,
      /^error: runs.run: the weights do not fit NeuralNet: conv1\.weight/,
      "--force",
      "--model",
      "lenet-gray",
    );
    await refused(1, /^error: runs.run: the checkpoint has no ema\.conv1\.weight$/, "--force", "--ema", "0.9");
    const { train } = openSynthetic({ trainCount: 44, testCount: 1 }), bytes = await bytesOf(train.records());
    bytes[100]! ^= 1;
    await Deno.writeFile(join(folder, "data", "data_batch_1.bin"), bytes);
    await refused(
      2,
      /^error: --resume: data has other images than the run was trained on \(44 of SHA-256 [0-9a-f]{12}…, before 44 of [0-9a-f]{12}…\): bring those back, or go on all the same with --force$/,
    );
    const forced = await wgrad(folder, ["train", "--resume", "run", "--force", "--epochs", "2", "--lr", "0.5"]);
    assertEquals(forced.code, 0, forced.err.join("\n"));
    assert(forced.out.includes("resuming at step 11 of 22"), forced.out.join("\n"));
    assertEquals(JSON.parse(await Deno.readTextFile(join(run, "config.json"))).lr, 0.5);
  }));

Deno.test("each setting that would make it another run is refused by its name, unless --force; the others may change", () => {
  const config = makeConfig();
  const other = ({ kind, choices = [], min = 0 }: Setting, now: Value | undefined): Value =>
    kind === "choice"
      ? choices.find((one) => one !== now)!
      : kind === "boolean"
      ? !now
      : kind === "list"
      ? ["conv*"]
      : kind === "string"
      ? "other"
      : Number(now ?? min) + 1;
  const refused: string[] = [], free: string[] = [];
  for (const setting of SETTINGS as readonly Setting[]) {
    const { name } = setting, key = camelCase(name) as keyof GivenConfig, before = config[key];
    if (name === "out" || name === "name") continue;
    const value = other(setting, before), given: GivenConfig = { [key]: value };
    const changed = { ...config, ...given };
    assertEquals(resumedConfig(config, { [key]: before }, false), config, name);
    assertEquals(resumedConfig(config, given, true), changed, name);
    if (setting.free || name === "epochs") { // More epochs only extend the run.
      assertEquals(resumedConfig(config, given, false), changed, name);
      free.push(name);
      continue;
    }
    const { message } = assertThrows(() => resumedConfig(config, given, false), UsageError);
    const had = before === undefined || before === false || String(before) === ""
      ? `without --${name}`
      : `with --${name} ${before}`;
    assertEquals(message, `This run was started ${had}. Drop --${name}, or add --force to change it.`);
    refused.push(name);
  }
  assertEquals(free, ["data", "offline", "epochs", "on-nan", "save-every", "keep", "eval-every", "final", "log-every"]);
  for (const epochs of [1, 2]) {
    assertThrows(() => resumedConfig({ ...config, epochs: 3 }, { epochs }, false), UsageError, "with --epochs 3. Drop");
  }
  // A run without a limit is cut short by any, and one with a limit is extended by a larger one.
  const limited = { ...config, maxSteps: 300 };
  assertThrows(() => resumedConfig(config, { maxSteps: 300 }, false), UsageError, "without --max-steps. Drop");
  assertThrows(() => resumedConfig(limited, { maxSteps: 299 }, false), UsageError, "with --max-steps 300. Drop");
  assertEquals(resumedConfig(limited, { maxSteps: 301 }, false).maxSteps, 301);
  for (const name of ["model", "lr", "seed", "batch-size", "val-split", "ema", "opt", "adapter"]) {
    assert(refused.includes(name), name);
  }
});

Deno.test("what is no run, and flags that do not go together, are one line and exit code 2", () =>
  withFolder(async (folder) => {
    const at = (...names: string[]) => join(folder, ...names), weights = at("a.safetensors");
    await Deno.writeTextFile(weights, "weights");
    await Deno.mkdir(at("empty"));
    await Deno.mkdir(at("bad"));
    await Deno.writeTextFile(at("bad", "config.json"), "{");
    const cases: [args: string[], message: string][] = [
      [["--resume", "none", "--out", folder], `--resume none: there is no such run, neither here nor in ${folder}`],
      [
        ["--resume", weights],
        `--resume ${weights}: a checkpoint goes on in its run's folder, RUN/checkpoints/; ` +
        "--init FILE starts a new run from weights",
      ],
      [["--resume", "empty", "--out", folder], `--resume empty: there is no such run, neither here nor in ${folder}`],
      [["--resume", at("bad")], `${at("bad", "config.json")} is not JSON: `],
      [["--resume", "a", "--config", "b"], "--resume and --config do not go together"],
      [["--resume", "a", "--name", "b"], "--resume and --name do not go together: the run has its folder"],
      [["--force"], "--force goes with --resume"],
      [["--host", "0.0.0.0"], "--host goes with --dashboard"],
    ];
    for (const [args, message] of cases) {
      const error = await assertRejects(async () => await command.run(parse(command, args)), UsageError);
      assert(error.message.startsWith(message) && !error.message.includes("\n"), error.message);
    }
    assertEquals(namesIn(folder), ["a.safetensors", "bad", "empty"]);
  }));
