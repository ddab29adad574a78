/**
 * Bad days: a loss that is not finite, a device that is lost, memory and disks that are full, folders that are read-only or
 * in use. Each ends, or goes on, with its message and exit code.
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { withFolder } from "../data/fixtures.ts";
import { execute } from "../project/support.ts";
import { metricsOf, namesIn, wgrad, writeData } from "./support.ts";

const flags = (name: string, ...more: string[]) => [
  ...["--data", "data", "--log-every", "5", "--name", name],
  ...(more.includes("--epochs") ? [] : ["--epochs", "3"]),
  ...more,
];
const train = (name: string, ...more: string[]) => ["train", ...flags(name, ...more)];
const linux = Deno.build.os === "linux";
const last = (text: string) => text.trimEnd().split("\n").at(-1)!;

/** `wgrad train` with a fault: see `faulty.ts`. */
function faulty(folder: string, fault: string, name: string, ...more: string[]) {
  const script = fileURLToPath(new URL("faulty.ts", import.meta.url));
  return execute(Deno.execPath(), [
    "run",
    "--quiet",
    "--no-check",
    "--allow-all",
    script,
    fault,
    ...flags(name, ...more),
  ], {
    cwd: folder,
    env: { XDG_RUNTIME_DIR: "/" },
  });
}

const weightsOf = (folder: string, run = "run") => Deno.readFileSync(join(folder, "runs", run, "model.safetensors"));

Deno.test("a device that is lost is made anew once, and the run has the same bits; lost again, it ends with 1", () =>
  withFolder(async (folder) => {
    await writeData(folder, 44);
    const plain = await wgrad(folder, train("plain"));
    assertEquals(plain.code, 0, plain.err.join("\n"));
    // How many steps are in a submission depends on the machine's speed, so that the checkpoint's file says when.
    const saved = (name: string) => join("runs", name, "checkpoints", "last.safetensors");
    // After the first checkpoint; and before it, where the run starts over.
    for (const [name, fault] of [["late", `lose:1@${saved("late")}`], ["early", "lose:6"]] as const) {
      const { code, stderr } = await faulty(folder, fault, name);
      assertEquals(code, 0, stderr);
      const step = name === "early" ? 0 : 11;
      assertMatch(
        stderr,
        new RegExp(`WARNING: the GPU device was lost \\(injected\\): going on from step ${step} on a new`),
      );
      assertEquals(weightsOf(folder, name), weightsOf(folder, "plain"));
      assertEquals(
        metricsOf(join(folder, "runs", name)).filter(({ loss }) => loss).map(({ step, loss }) => [step, loss]),
        metricsOf(join(folder, "runs", "plain")).filter(({ loss }) => loss).map(({ step, loss }) => [step, loss]),
      );
    }
    const { code, stderr } = await faulty(folder, `lose:1,8@${saved("twice")}`, "twice");
    assertEquals(code, 1, stderr);
    assertEquals(last(stderr), "error: the GPU device was lost (injected): start again; it was lost before");
    assert(namesIn(join(folder, "runs", "twice", "checkpoints")).includes("last.safetensors"));
  }));

Deno.test("too little memory: what was asked for, and a batch that would fit", () =>
  withFolder(async (folder) => {
    await writeData(folder, 44);
    const { code, stderr } = await faulty(folder, "memory:3000000", "run", "--batch-size", "40");
    assertEquals(code, 1, stderr);
    const shape =
      /^error: the GPU is out of memory \(\d+ MiB asked for by wgrad\): a step of lenet with --batch-size 40 takes (\d+) MiB; --batch-size (\d+) would fit, with (\d+) MiB; --accumulate makes up for it$/;
    const [, whole, fits, less] = shape.exec(last(stderr)) ?? [];
    assert(Number(fits) >= 1 && Number(fits) < 40 && Number(less) < Number(whole), stderr);
  }));

Deno.test("a loss that is not finite: the run stops, or goes back with half the rate, three times at most", () =>
  withFolder(async (folder) => {
    await writeData(folder, 44);
    const stopped = await wgrad(folder, train("a", "--lr", "1e6"));
    assertEquals(stopped.code, 1);
    assertMatch(stopped.err.at(-1)!, /^error: .* training diverged; try a smaller --lr$/);

    const hopeless = await wgrad(folder, train("b", "--lr", "1e6", "--on-nan", "restore"));
    assertEquals(hopeless.code, 1);
    const back = hopeless.err.filter((line) => line.includes("going back to step 0"));
    assertEquals(back.map((line) => /half the learning rate, (\d+) \((\d) of 3/.exec(line)!.slice(1)), [
      ["500000", "1"],
      ["250000", "2"],
      ["125000", "3"],
    ]);
    assertMatch(hopeless.err.at(-1)!, /^error: .* training diverged; .*; went back 3 times already$/);

    // Diverges at this rate, and not at an eighth of it.
    const saved = await wgrad(folder, train("c", "--lr", "30", "--on-nan", "restore"));
    assertEquals(saved.code, 0, saved.err.join("\n"));
    const events = metricsOf(join(folder, "runs", "c")).filter((line) => "event" in line) as unknown as {
      event: string;
      lr: number;
    }[];
    assert(events.length > 0 && events.every(({ event }) => event === "restore"), JSON.stringify(events));
    const { lr } = metricsOf(join(folder, "runs", "c")).findLast(({ lr }) => lr)!;
    assertEquals(lr, 30 / 2 ** saved.err.filter((line) => line.includes("going back")).length);
  }));

Deno.test("a folder in use is refused, and names the process; one whose process was killed is taken over", () =>
  withFolder(async (folder) => {
    await writeData(folder, 44);
    const endless = ["train", "--data", "data", "--epochs", "1000000", "--log-every", "10", "--name", "run"];
    let asked: Promise<unknown> | null = null;
    const killed = await wgrad(folder, endless, (child, lines) => {
      if (asked || !lines.some((line) => line.startsWith("[2,"))) return;
      asked = (async () => {
        const second = await wgrad(folder, ["train", "--resume", "run"]);
        assertEquals(second.code, 2);
        assertEquals(
          second.err.at(-1),
          `error: ${
            join("runs", "run")
          } is in use by another run, of process ${child.pid}: wait for it, or end it first`,
        );
      })().finally(() => child.kill("SIGKILL"));
    });
    await asked;
    assert(killed.code !== 0);
    assert(namesIn(join(folder, "runs", "run")).includes("run.lock"));
    const resumed = await wgrad(folder, ["train", "--resume", "run", "--max-steps", "12", "--epochs", "1000000"]);
    assertEquals(resumed.code, 2); // Another end makes it another run.
    assertMatch(
      resumed.err.at(-1)!,
      /^error: This run was started without --max-steps\. Drop --max-steps, or add --force to change it\.$/,
    );
    const forced = await wgrad(folder, ["train", "--resume", "run", "--max-steps", "12", "--force"]);
    assertEquals(forced.code, 0, forced.err.join("\n"));
    assert(!namesIn(join(folder, "runs", "run")).includes("run.lock"));
  }));

Deno.test({
  name: "a full disk and a read-only one end the run with 1, name the file, and leave the checkpoints as they were",
  ignore: !linux || Deno.uid() !== 0,
  fn: () =>
    withFolder(async (folder) => {
      await writeData(folder, 44);
      const runs = join(folder, "runs");
      await Deno.mkdir(runs);
      const mount = (...args: string[]) => execute("mount", [...args, runs]);
      assertEquals((await mount("-t", "tmpfs", "-o", "size=1900k", "tmpfs")).code, 0);
      try {
        const full = await wgrad(folder, train("run", "--epochs", "30", "--save-every", "1", "--keep", "99"));
        assertEquals(full.code, 1);
        assertMatch(full.err.at(-1)!, /^error: cannot write runs\/run\/.*: No space left on device/);
        const names = namesIn(join(runs, "run", "checkpoints"));
        assert(names.length > 2 && names.every((name) => name.endsWith(".safetensors")), names.join());
        const more = await wgrad(folder, ["train", "--resume", "run", "--keep", "1"]);
        assertEquals([more.code, more.err.filter((line) => line.startsWith("WARNING"))], [1, []]);

        assertEquals((await mount("-o", "remount,ro")).code, 0);
        const readOnly = await wgrad(folder, train("other"));
        assertEquals(readOnly.code, 1);
        assertMatch(readOnly.err.at(-1)!, /^error: cannot make a run's folder in runs: .*[Rr]ead-only/);
      } finally {
        await execute("umount", [runs]);
      }
    }),
});
