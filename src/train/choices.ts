/**
 * The choices of variants that were tuned on a device, from one run to the next: a file for each adapter under the cache
 * folder. Other choices round differently, so the same bits need the same file.
 *
 * @module
 */
import { join } from "node:path";
import { cacheFolder } from "../data/cache.ts";
import { writeAtomically } from "../data/files.ts";
import { oneLine } from "../gpu/device.ts";
import type { Gpu } from "../gpu/device.ts";
import { variantsOf } from "../graph/variants.ts";
import { VERSION } from "../version.ts";

/** Where the choices on `gpu` are kept; null where no variable tells the cache folder. */
export function choicesFile(gpu: Gpu): string | null {
  let folder: string;
  try {
    folder = cacheFolder();
  } catch {
    return null;
  }
  const name = gpu.adapter.name.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "").slice(0, 80);
  return join(folder, "tuning", `${name || "adapter"}.json`);
}

/** What a file must say to be this device's, in this version. */
const owner = ({ adapter: { name, vendor, architecture } }: Gpu) => ({ wgrad: VERSION, name, vendor, architecture });

/**
 * Makes the choices that were tuned earlier those of `gpu`. A file of another version or device counts as none; one that
 * cannot be read is told to `warn`, in a line.
 */
export async function loadChoices(gpu: Gpu, warn: (line: string) => void): Promise<void> {
  const path = choicesFile(gpu);
  if (path === null) return;
  try {
    const file = JSON.parse(await Deno.readTextFile(path)) as Record<string, unknown>;
    if (Object.entries(owner(gpu)).some(([key, value]) => file[key] !== value)) return;
    const choices = Object.entries(file.choices as Record<string, unknown>);
    if (!choices.every(([, name]) => typeof name === "string")) throw new Error("a choice is no name");
    for (const [key, name] of choices) variantsOf(gpu).chosen.set(key, name as string);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return;
    warn(`warning: ${path} is not used: ${oneLine((error as Error).message)}; wgrad bench --tune makes it anew`);
  }
}

/** Keeps the choices on `gpu`. Where they cannot be written, `warn` is told, in a line: they serve this run all the same. */
export async function saveChoices(gpu: Gpu, warn: (line: string) => void): Promise<void> {
  const path = choicesFile(gpu);
  if (path === null) return;
  try {
    const choices = Object.fromEntries([...variantsOf(gpu).chosen].sort());
    await writeAtomically(path, new TextEncoder().encode(`${JSON.stringify({ ...owner(gpu), choices }, null, 2)}\n`));
  } catch (error) {
    warn(`warning: ${path} cannot be written: ${oneLine((error as Error).message)}; the next run will tune again`);
  }
}
