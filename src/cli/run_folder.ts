/**
 * Finds the folder of a run that is named on the command line.
 *
 * @module
 */
import { join } from "node:path";

/** The folder of a run: `name` itself if it is a path that exists, else the folder of that name in `runs`. */
export async function runFolder(name: string): Promise<string> {
  const exists = async (path: string) => await Deno.stat(path).then(() => true, () => false);
  const inRuns = join("runs", name);
  return !await exists(name) && await exists(inRuns) ? inRuns : name;
}
