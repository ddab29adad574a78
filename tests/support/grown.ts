/**
 * For processes that read one file: how much memory that takes.
 *
 * @module
 */
import { WgradError } from "../../src/errors.ts";

/** A line of the kernel's report on this process, in bytes. */
function memory(name: "VmRSS" | "VmHWM"): number {
  return Number(new RegExp(`${name}:\\s*(\\d+) kB`).exec(Deno.readTextFileSync("/proc/self/status"))![1]) * 1024;
}

/**
 * Reads the file that the command line names, and prints, as JSON, the error if there was one, the file's size, and by how
 * many bytes the memory of this process grew at most, by Linux's count.
 */
export async function printGrown(read: (bytes: Uint8Array) => unknown): Promise<void> {
  const before = memory("VmRSS");
  let size = 0, error = "";
  try {
    const bytes = await Deno.readFile(Deno.args[0]!);
    size = bytes.length;
    await read(bytes);
  } catch (thrown) {
    if (!(thrown instanceof WgradError)) throw thrown;
    error = thrown.message;
  }
  console.log(JSON.stringify({ size, error, grown: memory("VmHWM") - before }));
}
