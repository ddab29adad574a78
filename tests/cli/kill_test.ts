/**
 * `kill -9` at any moment: no checkpoint is ever unreadable, and the run that is resumed each time ends with the very weights
 * of one that nobody disturbed.
 */
import { assert, assertEquals } from "@std/assert";
import { join } from "node:path";
import { readCheckpoint } from "../../src/train/checkpoint_folder.ts";
import { withFolder } from "../data/fixtures.ts";
import { bits } from "../support/random.ts";
import { metricsOf, namesIn, wgrad, writeData } from "./support.ts";

const KILLS = 50, STEPS = 3000;
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
    // Most while it trains and saves; some while it starts.
    const early = i % 2 === 1, delay = bits(seed + i, 1)[0]! / 2 ** 32 * (early ? 2000 : 400);
    let timer: ReturnType<typeof setTimeout> | undefined;
    const killLater = (child: Deno.ChildProcess) => timer ??= setTimeout(() => child.kill("SIGKILL"), delay);
    const { err } = await wgrad(folder, [...command, "--save-every", "1"], (child, lines) => {
      if (lines.some((line) => line.startsWith("["))) killLater(child);
    }, (child) => early && killLater(child));
    clearTimeout(timer);
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
      await writeData(folder);
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
