/**
 * The first minutes of a new user: the demo, paths from where one stands, the browser, and how much is printed.
 *
 * @module
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { join } from "node:path";
import { openInBrowser } from "../../src/cli/browser.ts";
import { Output } from "../../src/cli/output.ts";
import { SYNTHETIC_CLASSES } from "../../src/data/synthetic.ts";
import { withFolder } from "../data/fixtures.ts";
import { execute, ROOT } from "../project/support.ts";
import { filesOf, namesIn, wgrad } from "./support.ts";

Deno.test("wgrad demo trains with a live page, and predicts new pictures of each kind", () =>
  withFolder(async (folder) => {
    let page: Promise<number> | undefined;
    const { code, out, err } = await wgrad(folder, ["demo"], (_, lines) => {
      const url = lines.map((line) => /^dashboard: (http\S+)$/.exec(line)?.[1]).find(Boolean);
      if (url) page ??= fetch(url).then(async (response) => (await response.text(), response.status));
    });
    assertEquals([code, await page], [0, 200], err.join("\n"));
    const accuracy = Number(/^Accuracy of the .* test images: (\S+) %/m.exec(out.join("\n"))![1]);
    assert(accuracy > 95, `${accuracy} %`);
    const seconds = Number(/ in (\S+) s/.exec(out.find((line) => line.startsWith("Finished training"))!)![1]);
    assert(seconds < 60, `${seconds} s`); // 8 s on two cores that have nothing else to do.
    const run = join("runs", "demo-1"), pictures = join(run, "pictures");
    assert(filesOf(join(folder, run)).includes("report.html"));
    const kinds = [...SYNTHETIC_CLASSES].sort();
    assertEquals(namesIn(join(folder, pictures)), kinds.map((kind) => `${kind}.png`));
    const right = kinds.filter((kind) => {
      const line = out.indexOf(join(pictures, `${kind}.png`));
      return out[line + 1]!.trim().startsWith(`${kind} `);
    });
    assert(right.length >= 9, `${right}`);
    // The commands that it runs can be typed.
    const commands = out.filter((line) => line.startsWith("$ wgrad "));
    assertEquals(commands.map((line) => line.split(" ")[2]), ["train", "predict"]);
  }));

Deno.test("deno task wgrad takes paths from where the user stands, and says where files are", () =>
  withFolder(async (folder) => {
    const task = ["task", "--quiet", "--config", join(ROOT, "deno.json"), "wgrad"];
    const args = ["data", "show", "--data", "synthetic", "--out", "four.png"];
    const { code, stdout, stderr } = await execute(Deno.execPath(), [...task, ...args], {
      cwd: folder,
    });
    assertEquals(code, 0, stderr);
    assertEquals(namesIn(folder), ["four.png"]);
    assert(stdout.includes(join(await Deno.realPath(folder), "four.png")), stdout);
  }));

Deno.test("a browser is opened by a program; without one the page is named", async () => {
  const lines: string[] = [], output = new Output({ json: false });
  Object.assign(output, { warn: (line: string) => lines.push(line) });
  await openInBrowser("/runs/report.html", output, ["no-such-program"]);
  assertEquals(lines.splice(0), [
    "no browser could be opened here (there is no no-such-program): open /runs/report.html yourself",
  ]);
  await openInBrowser("/runs/report.html", output, [Deno.execPath(), "eval", "Deno.exit(3)"]);
  assertMatch(lines.splice(0).join(), /^no browser could be opened here \(.* ended with exit code 3\): open /);
  await withFolder(async (folder) => {
    const script = "Deno.writeTextFileSync(Deno.args[0], 'opened')", page = join(folder, "page");
    await openInBrowser(page, output, [Deno.execPath(), "eval", script]);
    assertEquals([await Deno.readTextFile(page), lines], ["opened", []]);
  });
});

Deno.test("-q prints nothing but the result and errors", () =>
  withFolder(async (folder) => {
    const settings = "--data synthetic --max-steps 4 --batch-size 8 --log-every 1 --offline".split(" ");
    const { code, out, err } = await wgrad(folder, ["train", "-q", ...settings]);
    assertEquals([code, err], [0, []]);
    assert(out.length > 0 && out.every((line) => line.startsWith("Accuracy ")), out.join("\n"));
    const weights = join("runs", "lenet-1", "model.safetensors");
    const failed = await wgrad(folder, ["predict", "-q", "--weights", weights, "none.png"]);
    assertEquals([failed.code, failed.out, failed.err], [1, [], [
      "error: cannot read none.png: no such file or folder",
    ]]);
  }));
