/**
 * What the tests of the project itself share: the checkout's root, its list of files, and running programs.
 *
 * @module
 */
import { join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";

/** The folder of the checkout, without a slash at its end. */
export const ROOT: string = fileURLToPath(new URL("../../", import.meta.url)).replace(/[\\/]$/, "");

/** What a program printed and how it ended. */
export interface Result {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end, in the checkout unless `cwd` says otherwise, without colours. */
export async function execute(
  program: string,
  args: readonly string[],
  options: { cwd?: string; env?: Record<string, string>; clearEnv?: boolean } = {},
): Promise<Result> {
  const { code, stdout, stderr } = await new Deno.Command(program, {
    args: [...args],
    cwd: options.cwd ?? ROOT,
    env: { NO_COLOR: "1", RUST_BACKTRACE: "0", ...options.env },
    clearEnv: options.clearEnv ?? false,
    stdin: "null",
  }).output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

/** Runs this Deno. */
export function deno(...args: string[]): Promise<Result> {
  return execute(Deno.execPath(), args);
}

/** Runs the command line, with all permissions. */
export function wgrad(...args: string[]): Promise<Result> {
  return deno("run", "--quiet", "--no-check", "--allow-all", "main.ts", ...args);
}

/** Every file under these folders of the checkout, and these files, as sorted paths with `/` relative to its root. */
export function filesOf(...names: string[]): string[] {
  const found: string[] = [];
  const visit = (path: string): void => {
    const { isDirectory } = Deno.statSync(path);
    if (!isDirectory) found.push(relative(ROOT, path).replaceAll(sep, "/"));
    else for (const { name } of Deno.readDirSync(path)) visit(join(path, name));
  };
  for (const name of names) visit(join(ROOT, name));
  return found.sort();
}

/** The text of a file of the checkout. */
export function read(path: string): string {
  return Deno.readTextFileSync(join(ROOT, path));
}
