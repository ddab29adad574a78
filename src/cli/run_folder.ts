/**
 * The runs that a command line names.
 *
 * @module
 */
import { join } from "node:path";

/** The folder of a run: what is named, or what has that name in `runs`. */
export async function runFolder(name: string): Promise<string> {
  const isThere = async (path: string) => await Deno.stat(path).then(() => true, () => false);
  const inRuns = join("runs", name);
  return !await isThere(name) && await isThere(inRuns) ? inRuns : name;
}
