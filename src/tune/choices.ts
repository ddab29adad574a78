/**
 * The variants that were selected by tuning, kept from one run to the next in a file for each adapter and driver under the
 * cache folder. Other variants round differently, so the same bits need the same file.
 *
 * @module
 */
import { parseJson } from "../files/json.ts";
import { join } from "node:path";
import { cacheFolder } from "../data/cache.ts";
import { sha256 } from "../files/read.ts";
import { writeAtomically } from "../files/write.ts";
import { DataError } from "../errors.ts";
import type { Backend } from "../backend/backend.ts";
import { oneLine } from "../backend/one_line.ts";
import { variantsOf } from "../graph/device.ts";
import { VERSION } from "../version.ts";
import { kernelsHash } from "./kernel_texts.ts";

/** The device that was measured: everything that WebGPU says about an adapter and its driver. */
function deviceOf({ adapter: { name, vendor, architecture, kind } }: Backend): Readonly<Record<string, string>> {
  return {
    name,
    vendor,
    architecture,
    backend: Deno.env.get("DENO_WEBGPU_BACKEND") || "default",
    // Small batches run without the software driver's threads, and so with other times.
    ...(kind === "software gpu" ? { threads: Deno.env.get("LP_NUM_THREADS") || "default" } : {}),
  };
}

/** The program that was measured. Deno's version stands for its compiler of kernels, too. */
async function programOf(): Promise<Readonly<Record<string, string>>> {
  return { wgrad: VERSION, deno: Deno.version.deno, kernels: await kernelsHash() };
}

/**
 * The path of the file of choices on `gpu`.
 *
 * @throws {DataError} where no environment variable gives the cache folder.
 */
export async function choicesFile(gpu: Backend): Promise<string> {
  const device = deviceOf(gpu), name = device.name!.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "");
  const hash = await sha256([new TextEncoder().encode(JSON.stringify(device))]);
  return join(cacheFolder(), "tuning", `${name.slice(0, 60) || "adapter"}-${hash.slice(0, 8)}.json`);
}

/**
 * Loads the choices that were tuned earlier on `gpu`. A file of another version is ignored; one that is damaged, or of
 * another device, is ignored with a line to `warn`.
 *
 * @returns the number of choices.
 */
export async function loadChoices(gpu: Backend, warn: (line: string) => void): Promise<number> {
  let path = "the file of tuned kernels";
  try {
    path = await choicesFile(gpu);
    const choices = await choicesIn(await Deno.readTextFile(path), gpu);
    for (const [key, name] of choices) variantsOf(gpu).chosen.set(key, name);
    return choices.length;
  } catch (error) {
    // Without a cache folder there is nothing to load; saving warns about it.
    if (error instanceof Deno.errors.NotFound || error instanceof DataError) return 0;
    warn(`warning: ${path} is not used: ${oneLine((error as Error).message)}; wgrad bench --tune makes it anew`);
    return 0;
  }
}

/** The choices in the text of a file; none where it is of another version. Throws where it is not a file of this device. */
async function choicesIn(text: string, gpu: Backend): Promise<[string, string][]> {
  const file: unknown = parseJson(text);
  const isRecord = (value: unknown) => typeof value === "object" && value !== null && !Array.isArray(value);
  const { choices, device, program } = (isRecord(file) ? file : {}) as Record<string, unknown>;
  if (!isRecord(choices) || !isRecord(device) || !isRecord(program)) throw new Error("it has no tuned kernels");
  const same = (a: unknown, b: object) => JSON.stringify(a) === JSON.stringify(b);
  if (!same(device, deviceOf(gpu))) throw new Error("it is another device's");
  if (!same(program, await programOf())) return [];
  const entries = Object.entries(choices as object);
  if (!entries.every(([, name]) => typeof name === "string")) throw new Error("a choice in it is no name");
  return entries;
}

/** Saves the choices on `gpu`. Where they cannot be written, they are only used in this run, and `warn` gets a line. */
export async function saveChoices(gpu: Backend, warn: (line: string) => void): Promise<void> {
  try {
    const choices = Object.fromEntries([...variantsOf(gpu).chosen].sort(([a], [b]) => a < b ? -1 : 1));
    const text = JSON.stringify({ device: deviceOf(gpu), program: await programOf(), choices }, null, 2);
    await writeAtomically(await choicesFile(gpu), new TextEncoder().encode(`${text}\n`));
  } catch (error) {
    warn(`warning: the tuned kernels are not kept: ${oneLine((error as Error).message)}; the next run will tune again`);
  }
}
