import { assert, assertEquals } from "@std/assert";
import config from "../../deno.json" with { type: "json" };
import { COMMANDS } from "../../src/cli/commands.ts";
import { documentedSpellings, loadCommands, parse } from "../../src/cli/flags.ts";
import { helpText } from "../../src/cli/help_text.ts";
import { manual } from "../../src/cli/manual.ts";
import { camelCase } from "../../src/config/setting.ts";
import { SETTINGS } from "../../src/config/settings.ts";
import { deno, execute, read, ROOT, wgrad } from "./support.ts";

const usageErrors: [args: string[], message: RegExp][] = [
  [["trian"], /^error: unknown command trian \(did you mean train\?\); see wgrad --help$/],
  [["--versoin"], /^error: unknown flag --versoin \(did you mean --version\?\); see wgrad --help$/],
  [["--epochs", "2"], /^error: the command comes first: wgrad train --epochs 2$/],
  [["--weights=x.pth", "a b.png"], /^error: the command comes first: wgrad eval --weights=x\.pth "a b\.png"$/],
  [["-q"], /^error: the command comes first: wgrad train -q$/],
  [["a\nb\x1b[31m"], /^error: unknown command "a\\nb\\u001b\[31m"; see wgrad --help$/],
  [["train", "--epoch", "3"], /^error: unknown flag --epoch \(did you mean --epochs\?\); see wgrad train --help$/],
  [
    ["train", "--model", "lenett"],
    /^error: --model must be one of lenet, lenet-gray, not lenett \(did you mean lenet\?\); see .*$/,
  ],
  [["train", "--epochs", "two"], /^error: --epochs must be an integer from 1 to 1000000, not two; see .*$/],
  [["train", "--lr", "-1"], /^error: --lr must be a number from 0 to 1000000, not -1; see wgrad train --help$/],
  [["train", "--batch-size"], /^error: --batch-size needs a value; see wgrad train --help$/],
  [["train", "extra"], /^error: unexpected argument extra; see wgrad train --help$/],
  [["train", "--nesterov", "--momentum", "0"], /^error: SGD: nesterov needs a momentum .*$/],
  [["train", "--optimizer", "adam", "--momentum", "0.9"], /^error: momentum is no option of adam: it has .*$/],
  [
    ["train", "--optimizer", "adam", "--opt", "epss=1"],
    /^error: --opt: adam has no option "epss" \(did you mean eps\?\).*$/,
  ],
  [["train", "--opt", "maximize"], /^error: --opt: sgd: "maximize" is not name=value$/],
  [["train", "--schedule", "step", "--sched", "gamma=x"], /^error: --sched: step: gamma is "x", not a number$/],
  [["train", "--config", "none.json"], /^error: cannot read none\.json.*$/],
  [["train", "--name", "a/b"], /^error: name "a\/b" cannot name a folder .*$/],
  [["eval", "--wieghts", "x"], /^error: unknown flag --wieghts \(did you mean --weights\?\); see wgrad eval --help$/],
  [
    ["eval", "--epochs", "3"],
    /^error: wgrad eval has no flag --epochs, but wgrad train has it; see wgrad eval --help$/,
  ],
  [["help", "trian"], /^error: COMMAND must be one of .*, not trian \(did you mean train\?\); see wgrad help --help$/],
  [["data", "fetsh"], /^error: ACTION must be one of fetch, verify, show, not fetsh \(did you mean fetch\?\); see .*$/],
];

for (const [args, message] of usageErrors) {
  Deno.test(`wgrad ${JSON.stringify(args.join(" "))} exits 2 with one line`, async () => {
    const { code, stdout, stderr } = await wgrad(...args);
    assert(message.test(stderr.trimEnd()), stderr);
    assertEquals({ code, stdout, lines: stderr.split("\n").length }, { code: 2, stdout: "", lines: 2 });
  });
}

Deno.test("wgrad --help lists the commands, and wgrad alone does so on stderr with exit code 2", async () => {
  const asked = await wgrad("--help");
  assertEquals([asked.code, asked.stderr], [0, ""]);
  for (const { name, summary } of COMMANDS) {
    assert(asked.stdout.includes(`  ${name}`) && asked.stdout.includes(summary));
  }
  assertEquals(await wgrad("-h"), asked);
  assertEquals(await wgrad(), { code: 2, stdout: "", stderr: asked.stdout });
});

Deno.test("wgrad --version prints the version of deno.json", async () => {
  assertEquals(await wgrad("--version"), { code: 0, stdout: `wgrad ${config.version}\n`, stderr: "" });
});

Deno.test("wgrad COMMAND --help shows each flag, and a table line is no wider than a page", async () => {
  for (const { name, summary, load } of COMMANDS) {
    const { command } = await load();
    assertEquals([command.name, command.summary], [name, summary]);
    const text = helpText(command);
    for (const flag of command.flags) {
      assert(text.includes(`--${flag.name}`) || text.includes(`--no-${flag.name}`), `${name} --${flag.name}`);
      assert(flag.help !== "" && !flag.help.endsWith("."), `${name} --${flag.name}`);
    }
    assertEquals(new Set(command.flags.map((flag) => flag.name)).size, command.flags.length);
    assert(command.examples.length > 0, name);
    assertEquals(text.split("\n").filter((line) => line.length > 100), []);
    assertEquals((await wgrad(name, "--help")).stdout, `${text}\n`);
  }
});

Deno.test("wgrad help COMMAND shows what --help shows, and wgrad help the commands", async () => {
  assertEquals(await wgrad("help", "train"), await wgrad("train", "--help"));
  assertEquals(await wgrad("help"), await wgrad("--help"));
});

Deno.test("docs/cli.md is the manual that the tables make", async () => {
  const folder = await Deno.makeTempDir(), file = `${folder}/cli.md`;
  try {
    await Deno.writeTextFile(file, `${manual(await loadCommands(COMMANDS))}\n`);
    assertEquals((await deno("fmt", "--quiet", "--no-config", "--line-width", "120", file)).code, 0);
    const same = await Deno.readTextFile(file) === read("docs/cli.md");
    assert(same, "docs/cli.md is out of date: run `deno task docs`, which renews it");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("the manual has each command's flags with their ranges, and every variable that the program may read", async () => {
  const commands = await loadCommands(COMMANDS), text = manual(commands);
  for (const { name, flags } of commands) {
    const section = text.slice(text.indexOf(`\n## wgrad ${name}\n`)).split("\n## ")[1] ?? "";
    for (const flag of flags) {
      const shown = new RegExp(`^- \`[^\`]*${documentedSpellings(flag)[0]}[ ,\`]`), lines = section.split("\n");
      const line = lines.find((line) => shown.test(line)) ?? "";
      assert(line.includes(flag.help.slice(0, 20)), `${name} --${flag.name}`);
      if (flag.kind === "integer") assert(line.includes(" integer"), line);
      for (const limit of [flag.min, flag.max]) assert(limit === undefined || line.includes(`${limit}`), line);
      for (const choice of flag.choices ?? []) assert(line.includes(`\`${choice}\``), line);
    }
  }
  const variables = config.tasks.wgrad.command.match(/--allow-env=(\S+)/)![1]!.split(",").sort();
  const rows = text.split("## Environment variables")[1]!.matchAll(/^- `(\w+)`: /gm);
  assertEquals(Array.from(rows, ([, name]) => name!).sort(), variables);
});

Deno.test("wgrad train has a flag for every setting of a run", async () => {
  const train = await COMMANDS[0]?.load();
  const names = train?.command.flags.map((flag) => flag.name) ?? [];
  assertEquals(SETTINGS.map((row) => row.name).filter((name) => !names.includes(name)), []);
  for (const row of SETTINGS) assert(camelCase(row.name) !== "");
});

Deno.test("a failure that is not typed is one line, with the stack only under WGRAD_DEBUG=1", async () => {
  // main.ts is run over a registry whose command throws what no command should.
  const folder = await Deno.makeTempDir();
  try {
    await Deno.mkdir(`${folder}/src/cli`, { recursive: true });
    for (
      const path of [
        "deno.json",
        "main.ts",
        "src/errors.ts",
        "src/foreign_text.ts",
        "src/version.ts",
        "src/cli/flags.ts",
        "src/cli/help_text.ts",
      ]
    ) {
      await Deno.copyFile(`${ROOT}/${path}`, `${folder}/${path}`);
    }
    await Deno.mkdir(`${folder}/src/config`);
    await Deno.copyFile(`${ROOT}/src/config/setting.ts`, `${folder}/src/config/setting.ts`);
    await Deno.writeTextFile(
      `${folder}/src/cli/commands.ts`,
      `const throwing = (run) => ({ name: "x", summary: "", flags: [], examples: [], run });
       const commands = {
         bug: throwing(() => { throw new RangeError("first\\nsecond"); }),
         late: throwing(async () => { Promise.reject(new TypeError("late")); await new Promise(() => setTimeout(() => {}, 1e5)); }),
         pipe: throwing(() => { throw new Deno.errors.BrokenPipe("gone"); }),
       };
       export const COMMANDS = [];
       export const findCommand = (name) => ({ load: () => ({ command: commands[name] }) });`,
    );
    const run = (name: string, env: Record<string, string> = {}) =>
      execute(Deno.execPath(), [
        "run",
        "--quiet",
        "--no-check",
        "--no-prompt",
        "--allow-env=WGRAD_DEBUG",
        "main.ts",
        name,
      ], {
        cwd: folder,
        env,
      });
    const tail = "(a bug in wgrad: please report it; WGRAD_DEBUG=1 shows where)\n";
    assertEquals(await run("bug"), { code: 1, stdout: "", stderr: `error: RangeError: first second ${tail}` });
    assertEquals(await run("late"), { code: 1, stdout: "", stderr: `error: TypeError: late ${tail}` });
    assertEquals(await run("pipe"), { code: 1, stdout: "", stderr: "" });
    const debug = await run("bug", { WGRAD_DEBUG: "1" });
    assert(debug.stderr.includes("commands.ts:"), debug.stderr);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("a reader that leaves early does not make it crash", async () => {
  const script = `"$0" run --quiet --no-check --allow-all main.ts train --help | head -n 1`;
  const { code, stdout, stderr } = await execute("sh", ["-c", script, Deno.execPath()]);
  assertEquals([code, stderr], [0, ""]);
  assertEquals(stdout.trimEnd().split("\n").length, 1);
});

Deno.test("README shows the commands that there are, and its command lines can be parsed", async () => {
  const readme = read("README.md");
  for (const { name } of COMMANDS) assert(readme.includes(`\`${name}`), name);
  for (const [, name] of readme.matchAll(/deno task ([\w:-]+)/g)) {
    assert(name !== undefined && name in config.tasks, name);
  }
  const shell = [...readme.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, text]) => text).join("");
  const lines = [...shell.matchAll(/^wgrad (\S+) ([^#\n]*)/gm)];
  assert(lines.length > 5);
  for (const [, name, rest] of lines) {
    const words = rest!.trim().split(/\s+/).map((word) => word.replace(/^'(.*)'$/, "$1"));
    const { command } = await COMMANDS.find((entry) => entry.name === name)!.load();
    parse(command, words);
  }
});

Deno.test("the commands are loaded only when asked for", async () => {
  const { code, stdout } = await deno("info", "--quiet", "--json", "src/cli/commands.ts");
  assertEquals(code, 0);
  const { modules } = JSON.parse(stdout) as {
    modules: { specifier: string; dependencies?: { specifier: string; isDynamic?: boolean }[] }[];
  };
  const registry = modules.find(({ specifier }) => specifier.endsWith("/src/cli/commands.ts"));
  const loads = registry?.dependencies?.filter(({ isDynamic }) => isDynamic === true) ?? [];
  assertEquals(loads.length, COMMANDS.length);
});
