/**
 * Collecting garbage when a test needs it, instead of when V8 chooses to.
 *
 * @module
 */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** Collects what nothing refers to, and lets the callbacks of finalization registries run. */
export async function collectGarbage(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve)); // References that were followed last until the turn ends.
  setFlagsFromString("--expose-gc");
  runInNewContext("gc")();
  await new Promise((resolve) => setTimeout(resolve));
}
