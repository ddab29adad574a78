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
  const { command } = await findCommand(name).load();
  const parsed = await parseFor(command, rest);
  if (parsed.help) {
    console.log(helpText(command));
    return 0;
  }
  return await command.run(parsed);
}

/** Parses the arguments of a command. If a flag belongs to other commands, the error names those. */
async function parseFor(command: Command, argv: readonly string[]): Promise<Parsed> {
  try {
    return parse(command, argv);
  } catch (error) {
    if (!(error instanceof UnknownFlagError)) throw error;
    const owners: string[] = [];
    for (const { name, load } of COMMANDS) {
      if ((await load()).command.flags.flatMap(acceptedSpellings).includes(error.flag)) owners.push(`wgrad ${name}`);
    }
    if (owners.length === 0) throw error;
    throw new UsageError(`${error.flag} is a flag of ${owners.join(", ")}; see wgrad ${command.name} --help`);
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

/** GPU drivers on Linux load display libraries that print warnings if this variable is not set. Nothing is written there. */
function setRuntimeFolder(): void {
  if (Deno.build.os === "linux" && mayUse("XDG_RUNTIME_DIR") && !Deno.env.get("XDG_RUNTIME_DIR")) {
    Deno.env.set("XDG_RUNTIME_DIR", "/");
  }
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
  setRuntimeFolder();
  Deno.exit(await main(Deno.args).catch(report));
}
