/**
 * `wgrad help`: the help text of a command, or of all.
 *
 * @module
 */
import { COMMANDS, findCommand } from "./commands.ts";
import { defineCommand } from "./flags.ts";
import { help, overview } from "./help.ts";
import { loadAll, manual } from "./manual.ts";

/** `wgrad help`. */
export const command = defineCommand({
  name: "help",
  summary: "Show the help of a command, or the whole manual",
  description: "`wgrad help COMMAND` shows what `wgrad COMMAND --help` shows, `wgrad help` the list of commands.",
  positional: [{ name: "COMMAND", optional: true, choices: COMMANDS.map(({ name }) => name), help: "The command" }],
  flags: [{ name: "all", kind: "boolean", help: "Print the manual of every command, as Markdown" }],
  examples: [
    ["wgrad help train", "Show the flags of train"],
    ["wgrad help --all > wgrad.md", "Keep the manual as a file"],
  ],
  async run({ values: { all }, positional: [name] }): Promise<number> {
    if (all) console.log(manual(await loadAll(COMMANDS)));
    else if (name === undefined) console.log(overview(COMMANDS));
    else console.log(help((await findCommand(name).load()).command));
    return 0;
  },
});
