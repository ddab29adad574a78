/**
 * A process that reads one file of weights and prints, as JSON, the error if there was one, the file's size, and by how
 * many bytes its memory grew at most, by Linux's count: for corruption_test.ts.
 */
import { WgradError } from "../../src/errors.ts";
import { decodeWeights } from "../../src/io/formats.ts";
// What is loaded when it is needed must not count.
import "../../src/io/npz.ts";
import "../../src/io/pytorch.ts";

/** A line of the kernel's report on this process, in bytes. */
function memory(name: "VmRSS" | "VmHWM"): number {
  return Number(new RegExp(`${name}:\\s*(\\d+) kB`).exec(Deno.readTextFileSync("/proc/self/status"))![1]) * 1024;
}

const before = memory("VmRSS");
let size = 0, error = "";
try {
  const bytes = await Deno.readFile(Deno.args[0]!);
  size = bytes.length;
  await decodeWeights(bytes, "FILE");
} catch (thrown) {
  if (!(thrown instanceof WgradError)) throw thrown;
  error = thrown.message;
}
console.log(JSON.stringify({ size, error, grown: memory("VmHWM") - before }));
