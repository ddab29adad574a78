import { assert, assertEquals, assertThrows } from "@std/assert";
import { join } from "node:path";
import { WgradError } from "../../src/errors.ts";
import { configFromJson, makeConfig } from "../../src/train/config.ts";
import { makeRunFolder, RunFolder } from "../../src/train/run_folder.ts";
import { withFolder } from "../data/fixtures.ts";

Deno.test("a run's folder starts with its configuration and no metrics, and log() appends lines at once", () =>
  withFolder(async (out) => {
    const config = makeConfig({ out, name: "a b", lr: 0.1, nesterov: true });
    const folder = await makeRunFolder(config), metrics = join(folder.path, "metrics.jsonl");
    assertEquals([folder.path, folder.weights], [join(out, "a b"), join(out, "a b", "model.safetensors")]);
    assertEquals(configFromJson(await Deno.readTextFile(join(folder.path, "config.json")), "config.json"), config);
    assertEquals(await Deno.readTextFile(metrics), "");
    folder.log({ step: 1, loss: 2.5 });
    folder.log();
    folder.log({ step: 2 }, { step: 3 });
    assertEquals(Deno.readTextFileSync(metrics), '{"step":1,"loss":2.5}\n{"step":2}\n{"step":3}\n');
  }));

Deno.test({
  name: "a full disk is one line that names the file",
  ignore: Deno.build.os !== "linux",
  fn: () =>
    withFolder(async (path) => {
      await Deno.symlink("/dev/full", join(path, "metrics.jsonl"));
      const error = assertThrows(() => new RunFolder("full", path).log({ step: 1 }), WgradError);
      assert(error.message.startsWith(`cannot write ${join(path, "metrics.jsonl")}: No space left`), error.message);
      assert(!error.message.includes("\n"));
    }),
});
