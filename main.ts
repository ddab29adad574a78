/**
 * The entry point of the program: selects the subcommand, and maps errors to exit codes. 0: done; 1: failure; 2: wrong usage;
 * 130: interrupted after saving.
 *
 * @module
 */
import { printable } from "./src/foreign_text.ts";
import { COMMANDS, findCommand } from "./src/cli/commands.ts";
import { acceptedSpellings, type Command, parse, type Parsed, UnknownFlagError } from "./src/cli/flags.ts";
import { helpText, overviewText } from "./src/cli/help_text.ts";
import { UsageError, WgradError } from "./src/errors.ts";
import { VERSION } from "./src/version.ts";

/** Runs one command line. @returns the exit code. */
async function main(argv: readonly string[]): Promise<number> {
  const [name, ...rest] = argv;
  if (name === undefined) {
    console.error(overviewText(COMMANDS));
    return 2;
  }
  if (name === "--help" || name === "-h") {
    console.log(overviewText(COMMANDS));
    return 0;
  }
  if (name === "--version") {
    console.log(`wgrad ${VERSION}`);
    return 0;
  }
  if (name.startsWith("-")) await refuseFlag(name, argv);
  const { command } = await findCommand(name).load();
  const parsed = await parseFor(command, rest);
  if (parsed.help) {
    console.log(helpText(command));
    return 0;
  }
  return await command.run(parsed);
}

/** Throws `UsageError` if a command that has this flag is missing before it; the error has the whole command line. */
async function refuseFlag(flag: string, argv: readonly string[]): Promise<void> {
  const owners = await ownersOf(flag.replace(/=.*$/s, "")), owner = owners.includes("train") ? "train" : owners[0];
  if (owner === undefined) return;
  const line = argv.map((word) => /^[\w.,:/=+@%-]+$/.test(word) ? word : JSON.stringify(word)).join(" ");
  throw new UsageError(`the command comes first: wgrad ${owner} ${line}`);
}

/** The names of the commands that have this flag. */
async function ownersOf(flag: string): Promise<string[]> {
  const owners: string[] = [];
  for (const { name, load } of COMMANDS) {
    if ((await load()).command.flags.flatMap(acceptedSpellings).includes(flag)) owners.push(name);
  }
  return owners;
}

/** Parses the arguments of a command. If a flag belongs to other commands, the error names those. */
async function parseFor(command: Command, argv: readonly string[]): Promise<Parsed> {
  try {
    return parse(command, argv);
  } catch (error) {
    if (!(error instanceof UnknownFlagError)) throw error;
    const owners = await ownersOf(error.flag);
    if (owners.length === 0) throw error;
    const others = owners.map((name) => `wgrad ${name}`).join(", "), verb = owners.length > 1 ? "have" : "has";
    throw new UsageError(
      `wgrad ${command.name} has no flag ${error.flag}, but ${others} ${verb} it; see wgrad ${command.name} --help`,
    );
  }
}

/** Prints an error for people. @returns the exit code. */
function report(error: unknown): number {
  // The reader of our output has exited, as in `wgrad train | head`. Nobody can read a message.
  if (error instanceof Deno.errors.BrokenPipe) return 1;
  if (error instanceof WgradError) {
    // Line breaks are ours; any other control character is from a file.
    console.error(`error: ${error.message.split("\n").map((line) => printable(line, 10_000)).join("\n")}`);
    if (debugging()) console.error(error.stack);
    return error.exitCode;
  }
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  console.error(
    `error: ${
      printable(text.replace(/\s+/g, " "), 10_000)
    } (a bug in wgrad: please report it; WGRAD_DEBUG=1 shows where)`,
  );
  if (debugging() && error instanceof Error) console.error(error.stack);
  return 1;
}

function debugging(): boolean {
  return mayUse("WGRAD_DEBUG") && Deno.env.get("WGRAD_DEBUG") === "1";
}

/** Whether the program may read a variable. Reading without permission would throw, and hide the error to report. */
function mayUse(variable: string): boolean {
  return Deno.permissions.querySync({ name: "env", variable }).state === "granted";
}

/** `deno task` runs the program in the checkout; relative paths start at the folder in which the user stands. */
function enterUsersFolder(): void {
  const folder = mayUse("INIT_CWD") ? Deno.env.get("INIT_CWD") : undefined, checkout = import.meta.dirname;
  if (folder && folder !== checkout && Deno.cwd() === checkout) Deno.chdir(folder);
}

if (import.meta.main) {
  // An error outside of `main()`, such as in an event listener, must end the program like any other.
  globalThis.addEventListener("unhandledrejection", (event) => {
    event.preventDefault();
    Deno.exit(report(event.reason));
  });
  globalThis.addEventListener("error", (event) => {
    event.preventDefault();
    Deno.exit(report(event.error));
  });
  enterUsersFolder();
  Deno.exit(await main(Deno.args).catch(report));
}
