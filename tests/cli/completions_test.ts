import { assert, assertEquals } from "@std/assert";
import { COMMANDS } from "../../src/cli/commands.ts";
import { documentedSpellings, loadCommands } from "../../src/cli/flags.ts";
import { execute, wgrad } from "../project/support.ts";
import { testWith } from "../support/tools.ts";

/** Runs `program` over each shell's own way to complete, in a folder with a file and a folder, with the script in "$1". */
async function complete(
  shell: "bash" | "zsh" | "fish",
  program: string,
  ...lines: readonly string[]
): Promise<string[]> {
  const folder = await Deno.makeTempDir();
  try {
    const { code, stdout, stderr } = await wgrad("completions", shell);
    assertEquals([code, stderr], [0, ""]);
    await Deno.writeTextFile(`${folder}/.script`, stdout);
    await Deno.writeTextFile(`${folder}/one two.bin`, "");
    await Deno.mkdir(`${folder}/only`);
    for (const run of ["lenet-1", "lenet-2"]) await Deno.mkdir(`${folder}/runs/${run}`, { recursive: true });
    const flags = { bash: ["--norc", "-c"], zsh: ["-f", "-c"], fish: ["--no-config", "-c"] }[shell];
    const run = await execute(shell, [...flags, program, ...(shell === "fish" ? [] : ["sh"]), ".script", ...lines], {
      cwd: folder,
    });
    assertEquals([run.code, run.stderr], [0, ""]);
    return run.stdout.replace(/\n$/, "").split("\n");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** What bash does at a Tab: it fills in the words, calls the function, and reads the replies. */
const BASH = `source "$1"; shift
for line; do
  read -ra COMP_WORDS <<< "$line"
  [[ $line == *' ' ]] && COMP_WORDS+=('')
  COMP_CWORD=$((\${#COMP_WORDS[@]} - 1))
  _wgrad
  IFS='|'; echo "\${COMPREPLY[*]}"; unset IFS
done`;

await testWith("bash", "the script for bash completes commands, flags, values, files and folders", async () => {
  const commands = await loadCommands(COMMANDS), names = COMMANDS.map(({ name }) => name);
  const every = commands.map(({ name, flags }) =>
    [name, [...flags.flatMap(documentedSpellings), "--help", "-h"]] as const
  );
  const found = await complete(
    "bash",
    BASH,
    "wgrad ",
    "wgrad tra",
    "wgrad train --mod",
    "wgrad train --model = lenet-g",
    "wgrad train --model =",
    "wgrad train --epochs ",
    "wgrad train --data one",
    "wgrad train --out o",
    "wgrad train --resume lenet-1",
    "wgrad train --resume runs/lenet-2",
    "wgrad report lenet-1",
    "wgrad train --data sy",
    "wgrad data ",
    "wgrad trian --",
    ...every.map(([name]) => `wgrad ${name} -`),
  );
  assertEquals(found[0], [...names, "--help", "--version"].join("|"));
  assertEquals(found[1], "train");
  assert(found[2]!.split("|").includes("--model"));
  assertEquals(found.slice(3, 14), [
    "lenet-gray",
    commands[0]!.flags.find(({ name }) => name === "model")!.choices!.join("|"),
    "",
    "one two.bin",
    "only",
    "lenet-1",
    "runs/lenet-2",
    "lenet-1",
    "synthetic",
    "fetch|verify|show",
    "",
  ]);
  // Every flag of every command, by the table alone.
  assertEquals(found.slice(14), every.map(([, flags]) => flags.join("|")));
});

/** An interactive zsh on a terminal of its own, where a key completes what was typed and shows the line. */
const ZSH = `zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell "PS1=; autoload -Uz compinit; compinit -D -u; source $1; unsetopt LIST_BEEP
show() { zle complete-word; print -r -- \\"<<\\$BUFFER>>\\"; zle kill-whole-line }; zle -N show; bindkey '^T' show"
zpty -r shell reply '*<<*>>*' # The terminal's echo of what was written.
shift
for line; do
  zpty -w -n shell "$line"$'\\C-t'
  zpty -r shell reply '*<<*>>*'
  print -r -- "\${\${reply##*<<}%%>>*}"
done
zpty -d shell`;

await testWith("zsh", "the script for zsh completes commands, flags, values, files and folders", async () => {
  const lines = {
    "wgrad tra": "wgrad train ",
    "wgrad train --mod": "wgrad train --model=",
    "wgrad train --model=lenet-g": "wgrad train --model=lenet-gray ",
    "wgrad train --optimizer adad": "wgrad train --optimizer adadelta ",
    "wgrad train --no-prog": "wgrad train --no-progress ",
    "wgrad train --data one": "wgrad train --data one\\ two.bin ",
    "wgrad train --out o": "wgrad train --out only/",
    "wgrad train --resume lenet-2": "wgrad train --resume lenet-2 ",
    "wgrad report lenet-1": "wgrad report lenet-1 ",
    "wgrad train --data sy": "wgrad train --data synthetic ",
    "wgrad data fet": "wgrad data fetch ",
    "wgrad dashboard --host 0": "wgrad dashboard --host 0.0.0.0 ",
    "wgrad trian --mod": "wgrad trian --mod",
  };
  assertEquals(await complete("zsh", ZSH, ...Object.keys(lines)), Object.values(lines));
});

const FISH =
  `source $argv[1]; for line in $argv[2..]; echo (complete -C $line | string replace -r '\\t.*' '' | string join '|'); end`;

await testWith("fish", "the script for fish completes commands, flags, values, files and folders", async () => {
  const lines = {
    "wgrad tra": "train",
    "wgrad train --mod": "--model",
    "wgrad train --model lenet-g": "lenet-gray",
    "wgrad train --optimizer=adad": "--optimizer=adadelta",
    "wgrad train --no-prog": "--no-progress",
    "wgrad train --data one": "one two.bin",
    "wgrad train --out o": "only/",
    "wgrad train --resume le": "lenet-1|lenet-2",
    "wgrad report lenet-1": "lenet-1",
    "wgrad train --data sy": "synthetic",
    "wgrad data fet": "fetch",
    "wgrad trian --mod": "",
  };
  assertEquals(await complete("fish", FISH, ...Object.keys(lines)), Object.values(lines));
});

Deno.test("wgrad completions refuses a shell that it does not know", async () => {
  const { code, stderr } = await wgrad("completions", "bsh");
  assertEquals(code, 2);
  assert(stderr.startsWith("error: SHELL must be one of bash, zsh, fish, not bsh (did you mean bash?)"), stderr);
});
