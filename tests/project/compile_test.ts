import { assert, assertEquals } from "@std/assert";
import { join } from "node:path";
import config from "../../deno.json" with { type: "json" };
import { deno, execute, filesOf, ROOT } from "./support.ts";

/**
 * The paths in the tree of embedded files that `deno compile` prints. A folder of which every file is inside is one
 * line, `folder/*`; it is given back as its files.
 */
function embeddedFiles(output: string): string[] {
  const lines = output.split("\n");
  const start = lines.findIndex((line) => line.startsWith("Embedded Files"));
  const found: string[] = [];
  const path: string[] = [];
  for (const line of lines.slice(start)) {
    const match = /^((?:[│ ] )*)[├└]─[─┬] (.*?)(?: \([^()]*\))?$/.exec(line);
    if (match === null) continue;
    const [, indent = "", name = ""] = match;
    path.splice(indent.length / 2, Infinity, name);
    const full = path.join("/");
    if (/^(src|shaders|tests|bench|docs)\b.*\/\*$/.test(full)) found.push(...filesOf(full.slice(0, -2)));
    else found.push(full);
  }
  return found;
}

Deno.test("the packed program holds every kernel and nothing of the tests", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const { code, stdout, stderr } = await execute(Deno.execPath(), ["task", "--quiet", "pack"], {
      // The base binary is not downloaded: this Deno stands for it, so that what is made can be looked at but not run.
      env: { DENORT_BIN: await Deno.realPath(Deno.execPath()), PACK: `--output ${join(folder, "wgrad")}` },
    });
    const output = stdout + stderr;
    assertEquals(code, 0, output);
    const files = embeddedFiles(output);
    assert(files.includes("main.ts"), output);
    const kernels = filesOf("shaders").filter((path) => path.endsWith(".wgsl"));
    assert(kernels.length > 0);
    assertEquals(kernels.filter((path) => !files.includes(path)), [], output);
    const ours = /^(main\.ts|deno\.json|src|src\/.*|shaders|shaders\/.*|\.deno_compile_node_modules.*)$/;
    assertEquals(files.filter((path) => !ours.test(path)), [], output);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("deno task compile says in a line what to do when there is no base binary", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const { code, stderr } = await execute(Deno.execPath(), ["task", "--quiet", "pack"], {
      env: { DENORT_BIN: join(folder, "none"), PACK: `--output ${join(folder, "wgrad")}` },
    });
    assert(code !== 0);
    assert(
      /^error: the program was not packed, .*DENORT_BIN.*$/m.test(stderr.trimEnd().split("\n").at(-1) ?? ""),
      stderr,
    );
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("every compile task packs for another system that deno compile knows", async () => {
  const targets = Object.entries(config.tasks).filter(([name]) => name.startsWith("compile:"))
    .map(([name, task]) => [name, /--target (\S+) --output dist\/(\S+)\/wgrad/.exec(String(task))] as const);
  assertEquals(targets.length, 6);
  for (const [name, match] of targets) assertEquals(name, `compile:${match?.[2]}`);
  const { stderr } = await deno("compile", "--target", "none", "main.ts");
  for (const [, match] of targets) assert(stderr.includes(match?.[1] ?? "no target"), stderr);
  assertEquals(new Set(targets.map(([, match]) => match?.[1])).size, 6);
});

Deno.test("training reads nothing of the source tree: it runs with the data and output folders alone", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const [data, out] = [join(folder, "data"), join(folder, "out")];
    await Promise.all([data, out].map((path) => Deno.mkdir(path)));
    const granted = config.tasks.wgrad.command.split(" ").filter((word) =>
      word.startsWith("--allow-env=") || word === "--no-prompt"
    );
    const { code, stdout, stderr } = await execute(Deno.execPath(), [
      "run",
      "--quiet",
      ...granted,
      `--allow-read=${data},${out}`,
      `--allow-write=${data},${out}`,
      join(ROOT, "main.ts"),
      ...["train", "--data", "synthetic", "--max-steps", "20", "--log-every", "10", "--out", out, "--name", "packed"],
    ], { cwd: folder, env: { WGRAD_DATA: data } });
    assertEquals(code, 0, stdout + stderr);
    const files = [...Deno.readDirSync(join(out, "packed"))].map(({ name }) => name);
    for (const name of ["config.json", "metrics.jsonl", "model.safetensors"]) assert(files.includes(name), name);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
