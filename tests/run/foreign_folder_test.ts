/**
 * `--resume` of a folder that came from elsewhere: links in it lead nowhere, and pipes and devices are not waited for.
 */
import { assertEquals, assertRejects } from "@std/assert";
import { join } from "node:path";
import { configToJson, makeConfig } from "../../src/config/config.ts";
import { UsageError } from "../../src/errors.ts";
import { reopen } from "../../src/run/resume.ts";
import { readRunFile } from "../../src/run/run_file.ts";
import { withFolder } from "../data/fixtures.ts";
import { execute } from "../project/support.ts";

const posix = Deno.build.os !== "windows";

/** What a try to go on with the run in `folder` ends in. */
async function refusal(folder: string): Promise<string> {
  const { message } = await assertRejects(() => reopen({ folder, file: null }, {}, false, () => {}), UsageError);
  return message;
}

/** A run's folder without checkpoints, and a file and a folder that are somebody else's. */
function withRun(test: (run: string, file: string, others: string) => Promise<void>): Promise<void> {
  return withFolder(async (folder) => {
    const [run, file, others] = ["run", "file", "others"].map((name) => join(folder, name)) as [string, string, string];
    await Deno.mkdir(run);
    await Deno.mkdir(others);
    await Deno.writeTextFile(join(run, "config.json"), configToJson(makeConfig()));
    await Deno.writeTextFile(file, "precious");
    await Deno.writeTextFile(join(others, "theirs.0a1b2c3d.tmp"), "precious");
    await test(run, file, others);
  });
}

const TAIL = "a run uses nothing outside its folder; remove it, or resume another run";

Deno.test({
  name: "a run.lock or a checkpoints/ that is a link is refused, and its target stays as it was",
  ignore: !posix,
  fn: () =>
    withRun(async (run, file, others) => {
      const lock = join(run, "run.lock"), checkpoints = join(run, "checkpoints");
      await Deno.symlink(file, lock);
      assertEquals(await refusal(run), `${lock} is a link: ${TAIL}`);
      assertEquals(await Deno.readTextFile(file), "precious");
      await Deno.remove(lock);
      await Deno.symlink(others, checkpoints);
      assertEquals(await refusal(run), `${checkpoints} is a link: ${TAIL}`);
      assertEquals(await Deno.readTextFile(join(others, "theirs.0a1b2c3d.tmp")), "precious");
      // The lock is given back.
      await Deno.remove(checkpoints);
      const { lock: held } = await reopen({ folder: run, file: null }, {}, false, () => {});
      await held[Symbol.asyncDispose]();
    }),
});

Deno.test({
  name: "a pipe as config.json or run.lock, and an endless run.json, are not read",
  ignore: !posix,
  fn: () =>
    withRun(async (run) => {
      const config = join(run, "config.json"), lock = join(run, "run.lock"), file = join(run, "run.json");
      await Deno.remove(config);
      assertEquals((await execute("mkfifo", [config, lock])).code, 0);
      assertEquals(await refusal(run), `${lock} is no regular file: ${TAIL}`);
      await Deno.remove(lock);
      assertEquals(await refusal(run), `--resume: ${config} is no regular file: ${TAIL}`);
      await Deno.symlink("/dev/zero", file);
      assertEquals(await readRunFile(run), undefined);
      await Deno.remove(file);
      await Deno.writeTextFile(file, `{"resumed":[]}${" ".repeat(1 << 24)}`);
      assertEquals(await readRunFile(run), undefined);
      await Deno.writeTextFile(file, '{"resumed":[]}');
      assertEquals(await readRunFile(run), { resumed: [] });
    }),
});
