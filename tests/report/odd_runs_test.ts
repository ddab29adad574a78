/** Folders of runs in which one run is odd: the others are shown all the same. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { join } from "node:path";
import { DataError } from "../../src/errors.ts";
import { readRun } from "../../src/report/run_view.ts";
import { startBrowsing } from "../../src/report/runs_server.ts";
import { withFolder } from "../data/fixtures.ts";
import { writeRun } from "./fixtures.ts";

const deep = `{"a":${"[".repeat(100_000)}${"]".repeat(100_000)}}`;

/** Files of a run that cannot be read, and what the error says. */
const ODD: [file: string, text: string, message: string][] = [
  ["config.json", '{"model":{"toString":1}}', 'the key "toString"'],
  ["config.json", deep, "nested more than 32 deep"],
  ["run.json", '{"adapter":{"valueOf":1,"toString":2}}', "which is not allowed"],
  ["run.json", deep, "nested more than 32 deep"],
  ["evaluation.json", deep, "is not JSON"],
];

for (const [file, text, message] of ODD) {
  Deno.test(`a run whose ${file} is ${text.slice(0, 30)} is an error of its own, and hides no other run`, () =>
    withFolder(async (folder) => {
      await writeRun(join(folder, "sound"));
      await writeRun(join(folder, "odd"));
      await Deno.writeTextFile(join(folder, "odd", file), text);
      await assertRejects(() => readRun(join(folder, "odd")), DataError, message);
      const server = await startBrowsing(folder, { port: 0 });
      try {
        const response = await fetch(server.url), page = await response.text();
        assertEquals(response.status, 200, page);
        assert(page.includes("sound") && page.includes("odd"));
        const report = new URL(server.url);
        report.pathname = "/run/sound";
        const sound = await fetch(report);
        assertEquals(sound.status, 200);
        await sound.body?.cancel();
      } finally {
        await server.close();
      }
    }));
}

Deno.test("a line of metrics that is nested too deep is counted as bad", () =>
  withFolder(async (folder) => {
    await writeRun(join(folder, "odd"));
    await Deno.writeTextFile(join(folder, "odd", "metrics.jsonl"), `{"step":1,"a":${deep}}\n`, { append: true });
    assertEquals((await readRun(join(folder, "odd"))).badLines, 1);
  }));
