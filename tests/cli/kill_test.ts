/**
 * `kill -9` at any moment: no checkpoint is ever unreadable, and the run that is resumed each time ends with the very weights
 * of one that nobody disturbed.
 */
import { assert, assertEquals } from "@std/assert";
import { join } from "node:path";
import { readCheckpoint } from "../../src/run/checkpoints.ts";
import { withFolder } from "../data/fixtures.ts";
import { bits } from "../support/random.ts";
import { metricsOf, namesIn, wgrad, writeData } from "./support.ts";

const KILLS = 50, STEPS = 400;
/** 45 batches of 4 and one of 2 an epoch, so that not every process compiles the kernels for the last batch and for testing. */
const IMAGES = 182;
/** Each step is saved, so that many of the kills come while it writes. */
const args = (name: string) => [
  ...["train", "--data", "data", "--epochs", "100000", "--max-steps", String(STEPS), "--name", name, "--tune", "off"],
  ...["--optimizer", "adam", "--schedule", "cosine", "--ema", "0.9", "--log-every", "5"],
];

/** Kills a run again and again, and looks at its checkpoints after each time. @returns the last steps that were saved. */
async function kill(folder: string, name: string, times: number, seed: number): Promise<number[]> {
  const run = join(folder, "runs", name), checkpoints = join(run, "checkpoints"), saved: number[] = [];
  for (let i = 0; i < times; i++) {
    const begun = await Deno.stat(join(run, "config.json")).then(() => true, () => false);
    const command = begun ? ["train", "--resume", name] : args(name);
    // Soon after one of the first lines, so that no machine gets far in between; half of them earlier, if it comes to it.
    const [moment, line] = bits(seed + i, 2), share = moment! / 2 ** 32, after = 1 + line! % 3;
    const timers: ReturnType<typeof setTimeout>[] = [];
    const killIn = (milliseconds: number, child: Deno.ChildProcess) => {
      timers.push(setTimeout(() => {
        timers.forEach(clearTimeout);
        child.kill("SIGKILL");
      }, milliseconds));
    };
    let seen = false;
    const { err } = await wgrad(folder, [...command, "--save-every", "1"], (child, lines) => {
      if (seen || lines.filter((line) => line.startsWith("[")).length < after) return;
      seen = true;
      killIn(100 * share, child);
    }, (child) => i % 2 === 1 && killIn(2000 * share, child));
    timers.forEach(clearTimeout);
    assertEquals(err.filter((line) => /error|WARNING/.test(line)), []);
    let newest = 0;
    for (const file of await Deno.stat(checkpoints).then(() => namesIn(checkpoints), () => [])) {
      if (!file.endsWith(".safetensors")) continue;
      const { state } = (await readCheckpoint(join(checkpoints, file)))!;
      newest = Math.max(newest, state.step);
    }
    saved.push(newest);
  }
  return saved;
}

Deno.test({
  name: `killed at ${KILLS} random moments and resumed each time, a run ends with the same bits`,
  ignore: Deno.build.os === "windows",
  fn: () =>
    withFolder(async (folder) => {
      await writeData(folder, IMAGES);
      const plain = wgrad(folder, args("plain"));
      // Two runs at once: most of the time is that of starting.
      const saved = await Promise.all([1, 2].map((seed) => kill(folder, `run-${seed}`, KILLS / 2, 1000 * seed)));
      assertEquals((await plain).code, 0);
      const weightsOf = (name: string) => Deno.readFile(join(folder, "runs", name, "model.safetensors"));
      for (const [i, steps] of saved.entries()) {
        assertEquals(steps, steps.toSorted((a, b) => a - b), "a checkpoint was lost");
        assert(new Set(steps).size > 5 && steps.at(-1)! < STEPS, `${steps}`);
        const name = `run-${i + 1}`, { code, err } = await wgrad(folder, ["train", "--resume", name, "--quiet"]);
        assertEquals(code, 0, err.join("\n"));
        assertEquals(await weightsOf(name), await weightsOf("plain"));
        const losses = (of: string) =>
          metricsOf(join(folder, "runs", of)).filter(({ loss }) => loss).map(({ step, loss }) => [step, loss]);
        assertEquals(losses(name), losses("plain"));
        assertEquals(namesIn(join(folder, "runs", name)).filter((file) => /tmp|lock/.test(file)), []);
      }
    }),
});
