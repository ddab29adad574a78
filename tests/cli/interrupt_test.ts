/**
 * What happens to a run from outside: signals, a disk that fails, and a terminal that watches.
 */
import { assert, assertEquals } from "@std/assert";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { onInterrupt } from "../../src/cli/interrupt.ts";
import { readCheckpoint } from "../../src/run/checkpoints.ts";
import { decodeSafetensors } from "../../src/io/safetensors.ts";
import { withFolder } from "../data/fixtures.ts";
import { execute } from "../project/support.ts";
import { COMMAND, filesOf, metricsOf, wgrad, writeData } from "./support.ts";

const posix = Deno.build.os !== "windows";
const ENDLESS = ["train", "--data", "data", "--epochs", "1000000", "--log-every", "10", "--name", "run"];

for (const [signal, exit] of [["SIGINT", 130], ["SIGTERM", 143], ["SIGHUP", 129]] as const) {
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
        // No terminal: nothing is drawn.
        // deno-lint-ignore no-control-regex
        assertEquals(out.concat(err).filter((line) => /[\x00-\x1f\x7f]/.test(line)), []);
        const run = join(folder, "runs", "run"), weights = join(run, "model.safetensors");
        const match = /^Interrupted: (\d+) steps in [\d.]+ s; weights in (.*)$/.exec(out.at(-2)!);
        assertEquals([match?.[2], out.at(-1)], [weights, `Resume with: wgrad train --resume ${join("runs", "run")}`]);
        assertEquals(filesOf(run), [
          ...["checkpoints", "config.json", "events", "metrics.csv", "metrics.jsonl", "model.safetensors"],
          ...["report.html", "run.json"],
        ]);
        const { state } = (await readCheckpoint(join(run, "checkpoints", "last.safetensors")))!;
        assertEquals(state.step, Number(match?.[1]));
        const { tensors } = decodeSafetensors(await Deno.readFile(weights), weights);
        assertEquals(tensors.size, 10);
        const metrics = metricsOf(run);
        assert(metrics.length > 0 && metrics.every(({ step }) => step! <= Number(match![1])));
      }),
  });
}

Deno.test({
  name: "an interrupted train --json ends stdout with an object",
  ignore: !posix,
  fn: () =>
    withFolder(async (folder) => {
      await writeData(folder);
      let text = "";
      const { code, out } = await wgrad(folder, [...ENDLESS, "--json"], undefined, async (child) => {
        // With --json the lines of the run are on stderr.
        const log = join(folder, "runs", "run", "metrics.jsonl");
        while (text === "") {
          await new Promise((resolve) => setTimeout(resolve, 50));
          text = await Deno.readTextFile(log).catch(() => "");
        }
        child.kill("SIGINT");
      });
      assertEquals([code, out.length], [130, 1]);
      const { interrupted, steps, out: path, trainSeconds, imagesPerSecond, adapter } = JSON.parse(out[0]!);
      assertEquals([interrupted, path], [true, join("runs", "run")]);
      assert(steps > 0 && trainSeconds > 0 && imagesPerSecond > 0 && adapter.length > 0, out[0]);
      const { state } = (await readCheckpoint(join(folder, path, "checkpoints", "last.safetensors")))!;
      assertEquals(steps, state.step);
    }),
});

Deno.test({
  name: "a second signal, while the first one waits, ends the process at once, and the run can go on",
  ignore: !posix,
  fn: () =>
    withFolder(async (folder) => {
      await writeData(folder);
      const script = fileURLToPath(new URL("faulty.ts", import.meta.url));
      // The steps under way after the first checkpoint never end.
      const saved = join("runs", "run", "checkpoints", "last.safetensors");
      const child = new Deno.Command(Deno.execPath(), {
        args: ["run", "--quiet", "--no-check", "--allow-all", script, `hang:2@${saved}`, ...ENDLESS.slice(1)],
        cwd: folder,
        stdin: "null",
        stdout: "piped",
        stderr: "piped",
      }).spawn();
      let text = "", timer: ReturnType<typeof setInterval> | undefined;
      const out = new Response(child.stdout).text();
      for await (const part of child.stderr.pipeThrough(new TextDecoderStream())) {
        text += part;
        if (timer !== undefined || !text.includes("hanging")) continue;
        child.kill("SIGTERM");
        // Longer than signals of one Ctrl-C are apart.
        timer = setInterval(() => child.kill("SIGINT"), 700);
      }
      clearInterval(timer);
      assertEquals([(await child.status).code, text.trim().split("\n").at(-1)], [
        143,
        "Stopping and saving… press Ctrl-C again to quit now",
      ]);
      assert(!(await out).includes("Interrupted"));
      const run = join(folder, "runs", "run"), last = join(run, "checkpoints", "last.safetensors");
      const { state } = (await readCheckpoint(last))!;
      assert(state.step > 0 && state.step % 11 === 0, `${state.step}`);
      const resumed = await wgrad(folder, ["train", "--resume", "run", "--force", "--max-steps", `${state.step + 1}`]);
      assertEquals(resumed.code, 0, resumed.err.join("\n"));
    }),
});

Deno.test("signals within half a second are one; a later one exits, with the code of the first", () => {
  const { addSignalListener, removeSignalListener, exit } = Deno, { now } = performance;
  const listeners = new Map<Deno.Signal, () => void>(), exits: (number | undefined)[] = [];
  let time = 1000, stops = 0;
  const at = (when: number, signal: Deno.Signal) => {
    time = when;
    listeners.get(signal)!();
  };
  try {
    performance.now = () => time;
    Deno.addSignalListener = (signal, listener) => void listeners.set(signal, listener);
    Deno.removeSignalListener = (signal) => void listeners.delete(signal);
    Deno.exit = ((code?: number) => void exits.push(code)) as typeof Deno.exit;
    const other = posix ? "SIGTERM" : "SIGBREAK";
    const cases: [first: Deno.Signal, code: number][] = [["SIGINT", 130], [other, posix ? 143 : 130]];
    if (posix) cases.push(["SIGHUP", 129]);
    for (const [first, code] of cases) {
      const interruption = onInterrupt(() => stops++);
      assertEquals([[...listeners.keys()].sort(), interruption.code], [
        posix ? ["SIGHUP", "SIGINT", other] : ["SIGBREAK", "SIGINT"],
        null,
      ]);
      at(1000, first);
      for (const [when, signal] of [[1000, other], [1001, "SIGINT"], [1499, first]] as const) at(when, signal);
      assertEquals([stops, interruption.code, exits], [1, code, []]);
      at(1501, "SIGINT");
      assertEquals([stops, exits], [1, [code]]);
      interruption[Symbol.dispose]();
      assertEquals(listeners.size, 0);
      [stops, exits.length] = [0, 0];
    }
  } finally {
    performance.now = now;
    Object.assign(Deno, { addSignalListener, removeSignalListener, exit });
  }
});

for (const file of ["metrics.jsonl", "model.safetensors"]) {
  Deno.test(`${file} that cannot be written ends the run with one line and exit code 1`, () =>
    withFolder(async (folder) => {
      await writeData(folder);
      const script = fileURLToPath(new URL("faulty.ts", import.meta.url)), path = join("runs", "run", file);
      const { code, stderr } = await execute(
        Deno.execPath(),
        [
          "run",
          "--quiet",
          "--no-check",
          "--allow-all",
          script,
          `block:${path}`,
          ...ENDLESS.slice(1),
          "--max-steps",
          "200",
        ],
        { cwd: folder, env: { XDG_RUNTIME_DIR: "/" } },
      );
      const err = stderr.trimEnd().split("\n");
      assertEquals(code, 1);
      assertEquals(err.filter((line) => line.startsWith("error:")).length, 1);
      assert(err.at(-1)!.startsWith(`error: cannot write ${join("runs", "run", file)}: `), err.at(-1));
      // No temporary file stays behind. What fails while it trains is in the report.
      const trained = file === "model.safetensors";
      assertEquals(filesOf(join(folder, "runs", "run")), [
        ...[...(trained ? ["checkpoints"] : []), "config.json", "events", "metrics.csv", "metrics.jsonl"],
        ...[trained ? file : "report.html", "run.json"],
      ]);
    }));
}

Deno.test({
  name: "train goes on when the disk under its stdout is full, and says so once",
  ignore: Deno.build.os !== "linux",
  fn: () =>
    withFolder(async (folder) => {
      await writeData(folder);
      const quoted = [Deno.execPath(), ...COMMAND].map((word) => `'${word}'`).join(" ");
      for (const flag of ["--log-every 1", "--json"]) {
        const name = flag.slice(2, 5),
          command = `${quoted} train --data data --epochs 1 --name ${name} ${flag} >/dev/full`;
        const { code, stderr } = await execute("sh", ["-c", command], { cwd: folder });
        const warnings = stderr.split("\n").filter((line) => line.startsWith("WARNING"));
        assertEquals([code, warnings.length], [0, 1], stderr);
        assert(/^WARNING: cannot print the rest: No space left .*: the run goes on$/.test(warnings[0]!), stderr);
        assert(filesOf(join(folder, "runs", name)).includes("report.html"));
      }
      // A command whose output is all that it does fails.
      const lost = await execute("sh", ["-c", `${quoted} eval --weights runs/log/model.safetensors >/dev/full`], {
        cwd: folder,
      });
      assertEquals(lost.code, 1, lost.stderr);
    }),
});

Deno.test({
  name: "a terminal gets a bar with step, loss, images/s and time left, unless --no-progress or --quiet",
  ignore: Deno.build.os !== "linux",
  fn: () =>
    withFolder(async (folder) => {
      await writeData(folder);
      const quoted = [Deno.execPath(), ...COMMAND].map((word) => `'${word}'`).join(" ");
      const train = async (columns: number, ...flags: string[]) => {
        const command = `stty cols ${columns}; ${quoted} train --data data --epochs 9 --log-every 10 ${
          flags.join(" ")
        }`;
        // `script` runs it on a terminal of its own.
        const { code, stdout } = await execute("script", ["-qec", command, "/dev/null"], { cwd: folder });
        assertEquals(code, 0, stdout);
        return stdout;
      };
      const barsOf = (text: string) => {
        const bars = text.split("\r\x1b[K").slice(1).map((part) => part.split("\r\n")[0]!);
        return bars.filter((bar) => bar !== "" && !/^(\[\d|Finished|epoch \d+\/\d+: )/.test(bar));
      };
      const shapes: [columns: number, shape: RegExp, last: RegExp][] = [
        [
          80,
          /^epoch \d\/9 \[#*\.*\] \d+\/11 {2}loss \d+\.\d{3} {2}accuracy \d+\.\d % {2}(\d+ images\/s {2})?(\d+:)?\d\d:\d\d left$/,
          /^epoch 9\/9 \[#+\] 11\/11 /,
        ],
        [40, /^epoch \d\/9 \[#*\.*\] \d+\/11 {2}loss \d+\.\d{3}$/, /^epoch 9\/9 \[#+\] 11\/11 /],
      ];
      let text = "";
      for (const [columns, shape, last] of shapes) {
        text = await train(columns);
        const drawn = barsOf(text);
        assert(drawn.length > 0, text);
        for (const bar of drawn) assert(shape.test(bar) && bar.length < columns, bar);
        assert(last.test(drawn.at(-1)!), drawn.at(-1));
        // deno-lint-ignore no-control-regex
        assertEquals(text.replaceAll("\r\x1b[K", "").replaceAll("\r\n", "").match(/[\x00-\x1f\x7f]/), null);
      }
      // A line of the tutorial starts where the bar was, and nothing of the bar stays behind.
      const screen = text.split("\r\n").map((line) => line.split("\r\x1b[K").at(-1)!);
      assertEquals(screen.filter((line) => line.startsWith("[")).length, 9);
      assertEquals(screen.filter((line) => line.includes("images/s")), []);
      for (const flag of ["--no-progress", "--quiet"]) {
        const plain = await train(80, flag);
        assert(!plain.includes("images/s") && !plain.includes("\x1b"), plain);
        assert(plain.includes("Accuracy of the network"), plain);
      }
    }),
});
