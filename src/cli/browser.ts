/**
 * Opens a page in the user's browser, by the program that each system has for it.
 *
 * @module
 */
import type { Output } from "./output.ts";

/**
 * The program of each system that opens a file or an address, and its arguments before that. They are whole paths, as in the
 * permissions of `deno.json`: Deno prints a line at each start about a name that it does not find.
 */
const OPENERS: Readonly<Record<string, readonly [program: string, ...args: string[]]>> = {
  darwin: ["/usr/bin/open"],
  windows: ["C:/Windows/System32/rundll32.exe", "url.dll,FileProtocolHandler"],
};

/** Milliseconds in which an opener that does not work has ended. One that works may run as long as the browser. */
const WAIT_MS = 3000;

/**
 * Opens a page, and says so if that fails. The program goes on either way.
 *
 * @param page an absolute path or an address.
 * @param opener the program to use. Default: the system's own.
 */
export async function openInBrowser(
  page: string,
  output: Output,
  [program, ...args]: readonly [string, ...string[]] = OPENERS[Deno.build.os] ?? ["/usr/bin/xdg-open"],
): Promise<void> {
  try {
    const child = new Deno.Command(program, { args: [...args, page], stdin: "null", stdout: "null", stderr: "null" })
      .spawn();
    child.unref();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const waited = new Promise<undefined>((resolve) => timer = setTimeout(() => resolve(undefined), WAIT_MS));
    const ended = await Promise.race([child.status, waited]);
    clearTimeout(timer);
    if (ended && !ended.success) throw new Error(`${program} ended with exit code ${ended.code}`);
  } catch (error) {
    const why = error instanceof Deno.errors.NotFound ? `there is no ${program}` : (error as Error).message;
    output.warn(`no browser could be opened here (${why}): open ${page} yourself`);
  }
}
