/**
 * `wgrad help`: prints the help text of one command, the list of commands, or the whole manual.
 *
 * @module
 */
import { type Command, type CommandEntry, defineCommand, loadCommands } from "./flags.ts";
import { helpText, overviewText } from "./help_text.ts";
import { manual } from "./manual.ts";

/** Makes `wgrad help` for a list of commands. */
export function helpCommand(commands: readonly CommandEntry[]): Command {
  return defineCommand({
    name: "help",
    summary: "Show the help of a command, or the whole manual",
    description:
      "`wgrad help COMMAND` shows what `wgrad COMMAND --help` shows; `wgrad help` shows the list of commands.",
    positional: [{ name: "COMMAND", optional: true, choices: commands.map(({ name }) => name), help: "The command" }],
    flags: [{ name: "all", kind: "boolean", help: "Print the manual of every command, as Markdown" }],
    examples: [
      ["wgrad help train", "Show the flags of train"],
      ["wgrad help --all > wgrad.md", "Write the manual to a file"],
    ],
    async run({ values: { all }, positional: [name] }): Promise<number> {
      const entry = commands.find((entry) => entry.name === name);
      if (all) console.log(manual(await loadCommands(commands)));
      else if (entry === undefined) console.log(overviewText(commands));
      else console.log(helpText((await entry.load()).command));
      return 0;
    },
  });
}
