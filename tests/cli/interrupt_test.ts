/**
 * What happens to a run from outside: signals, a disk that fails, and a terminal that watches.
 */
import { assert, assertEquals } from "@std/assert";
import { join } from "node:path";
import { readCheckpoint } from "../../src/train/checkpoint_folder.ts";
import { decodeSafetensors } from "../../src/io/safetensors.ts";
import { withFolder } from "../data/fixtures.ts";
import { execute } from "../project/support.ts";
import { COMMAND, filesOf, metricsOf, wgrad, writeData } from "./support.ts";

const posix = Deno.build.os !== "windows";
const ENDLESS = ["train", "--data", "data", "--epochs", "1000000", "--log-every", "10", "--name", "run"];

for (const [signal, exit] of [["SIGINT", 130], ["SIGTERM", 143]] as const) {
  Deno.test({
    name: `${signal} ends the steps under way, saves, says how to go on, and exits ${exit}`,
    ignore: !posix,
    fn: () =>
      withFolder(async (folder) => {
        await writeData(folder);
        let sent = false;
        const { code, out, err } = await wgrad(folder, ENDLESS, (child, lines) => {
          if (sent || !lines.some((line) => line.startsWith("["))) return;
          sent = true;
          // Twice, as where a task runner passes on what the terminal has sent to both already.
          for (let i = 0; i < 2; i++) child.kill(signal);
        });
        assertEquals(code, exit, err.join("\n"));
        const run = join(folder, "runs", "run"), weights = join("runs", "run", "model.safetensors");
        const match = /^Interrupted: (\d+) steps in [\d.]+ s; weights in (.*)$/.exec(out.at(-2)!);
        assertEquals([match?.[2], out.at(-1)], [weights, `to go on: wgrad train --resume ${join("runs", "run")}`]);
        assertEquals(filesOf(run), [
          ...["checkpoints", "config.json", "events", "metrics.csv", "metrics.jsonl", "model.safetensors"],
          ...["report.html", "run.json"],
        ]);
        const { state } = (await readCheckpoint(join(run, "checkpoints", "last.safetensors")))!;
        assertEquals(state.step, Number(match?.[1]));
        const { tensors } = decodeSafetensors(await Deno.readFile(join(folder, weights)), weights);
        assertEquals(tensors.size, 10);
        const metrics = metricsOf(run);
        assert(metrics.length > 0 && metrics.every(({ step }) => step! <= Number(match![1])));
      }),
  });
}

for (const file of ["metrics.jsonl", "model.safetensors"]) {
  Deno.test(`${file} that cannot be written ends the run with one line and exit code 1`, () =>
    withFolder(async (folder) => {
      await writeData(folder);
      const path = join(folder, "runs", "run", file);
      let blocked = false;
      const { code, err } = await wgrad(folder, [...ENDLESS, "--max-steps", "200"], (_, lines) => {
        if (blocked || !lines.some((line) => line.startsWith("run:"))) return;
        blocked = true;
        if (file === "metrics.jsonl") Deno.removeSync(path);
        Deno.mkdirSync(path);
      });
      assertEquals(code, 1);
      assertEquals(err.filter((line) => line.startsWith("error:")).length, 1);
      assert(err.at(-1)!.startsWith(`error: cannot write ${join("runs", "run", file)}: `), err.at(-1));
      // No temporary file stays behind.
      const saved = file === "metrics.jsonl" ? [] : ["checkpoints"];
      assertEquals(filesOf(join(folder, "runs", "run")), [
        ...[...saved, "config.json", "events", "metrics.csv", "metrics.jsonl"],
        ...[...saved.map(() => file), "run.json"],
      ]);
    }));
}

Deno.test({
  name: "a terminal gets a bar with step, loss, images/s and time left, unless --no-progress or --quiet",
  ignore: Deno.build.os !== "linux",
  fn: () =>
    withFolder(async (folder) => {
      await writeData(folder);
      const quoted = [Deno.execPath(), ...COMMAND].map((word) => `'${word}'`).join(" ");
      const train = async (...flags: string[]) => {
        const command = `${quoted} train --data data --epochs 9 --log-every 10 ${flags.join(" ")}`;
        // `script` runs it on a terminal of its own.
        const { code, stdout } = await execute("script", ["-qec", command, "/dev/null"], { cwd: folder });
        assertEquals(code, 0, stdout);
        return stdout;
      };
      const text = await train();
      const bars = text.split("\r\x1b[K").slice(1).map((part) => part.split("\r\n")[0]!);
      const drawn = bars.filter((bar) => bar !== "").filter((bar) => !/^(\[\d|Finished)/.test(bar));
      assert(drawn.length > 0, text);
      for (const bar of drawn) {
        const shape =
          /^epoch \d\/9 \[#*\.*\] (\d+)\/11 {2}loss \d+\.\d{3} {2}lr 0\.001 {2}\d+ images\/s {2}(\d+:)?\d\d:\d\d left$/;
        assert(shape.test(bar) && bar.length < 80, bar);
      }
      assert(/^epoch 9\/9 \[#+\] 11\/11 /.test(drawn.at(-1)!), drawn.at(-1));
      // A line of the tutorial starts where the bar was, and nothing of the bar stays behind.
      const screen = text.split("\r\n").map((line) => line.split("\r\x1b[K").at(-1)!);
      assertEquals(screen.filter((line) => line.startsWith("[")).length, 9);
      assertEquals(screen.filter((line) => line.includes("images/s")), []);
      for (const flag of ["--no-progress", "--quiet"]) {
        const plain = await train(flag);
        assert(!plain.includes("images/s") && !plain.includes("\x1b"), plain);
        assert(plain.includes("Accuracy of the network"), plain);
      }
    }),
});
