/**
 * The entry of the program: picks the subcommand and maps errors to exit codes. 0: done; 1: a failed run; 2: wrong
 * usage; 130: interrupted after saving.
 *
 * @module
 */
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

/** `parse()`, which knows one command. Where it finds a flag of others, the error names them. */
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

/** Prints what ended the run, for a person. @returns the exit code. */
function report(error: unknown): number {
  // The reader of our output has gone, as in `wgrad train | head`. There is nobody to tell.
  if (error instanceof Deno.errors.BrokenPipe) return 1;
  if (error instanceof WgradError) {
    console.error(`error: ${error.message}`);
    if (debugging()) console.error(error.stack);
    return error.exitCode;
  }
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  console.error(`error: ${text.replace(/\s+/g, " ")} (a bug in wgrad: please report it; WGRAD_DEBUG=1 shows where)`);
  if (debugging() && error instanceof Error) console.error(error.stack);
  return 1;
}

function debugging(): boolean {
  return mayUse("WGRAD_DEBUG") && Deno.env.get("WGRAD_DEBUG") === "1";
}

/** Asked before a variable is touched: without permission that would throw, and hide the error that is being reported. */
function mayUse(variable: string): boolean {
  return Deno.permissions.querySync({ name: "env", variable }).state === "granted";
}

/** Linux's display libraries, which GPU drivers load, complain on stderr without this folder. Nothing is put into it. */
function giveRuntimeFolder(): void {
  if (Deno.build.os === "linux" && mayUse("XDG_RUNTIME_DIR") && !Deno.env.get("XDG_RUNTIME_DIR")) {
    Deno.env.set("XDG_RUNTIME_DIR", "/");
  }
}

if (import.meta.main) {
  // An error outside the awaited path, such as in an event listener, must end the run like any other.
  globalThis.addEventListener("unhandledrejection", (event) => {
    event.preventDefault();
    Deno.exit(report(event.reason));
  });
  globalThis.addEventListener("error", (event) => {
    event.preventDefault();
    Deno.exit(report(event.error));
  });
  giveRuntimeFolder();
  Deno.exit(await main(Deno.args).catch(report));
}
