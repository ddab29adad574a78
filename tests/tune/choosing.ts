/**
 * Helpers for tests that select variants: without earlier choices, and with a temporary cache folder.
 *
 * @module
 */
import type { Backend } from "../../src/backend/backend.ts";
import { variantsOf } from "../../src/graph/device.ts";

/** Runs `fn` without choices, and restores the earlier ones after it. */
export async function clean<T>(gpu: Backend, fn: () => Promise<T>): Promise<T> {
  const { chosen } = variantsOf(gpu), before = new Map(chosen);
  chosen.clear();
  try {
    return await fn();
  } finally {
    chosen.clear();
    for (const [key, name] of before) chosen.set(key, name);
  }
}

/** The same, with an empty cache folder. */
export async function withCache(gpu: Backend, fn: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir(), before = Deno.env.get("WGRAD_DATA");
  Deno.env.set("WGRAD_DATA", folder);
  try {
    await clean(gpu, () => fn(folder));
  } finally {
    if (before === undefined) Deno.env.delete("WGRAD_DATA");
    else Deno.env.set("WGRAD_DATA", before);
    await Deno.remove(folder, { recursive: true });
  }
}
