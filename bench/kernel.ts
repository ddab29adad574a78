/**
 * Measures one kernel, and prints a JSON line: `deno run -A bench/kernel.ts matmul-512`, or `conv-weight-64-32` for the weight
 * gradient of a convolution with 64 channels on 32 x 32.
 *
 * @module
 */
import { UsageError } from "../src/errors.ts";
import { requestBackend } from "../src/backend/request.ts";
import { time } from "../src/tune/timing.ts";
import { CONV_PARTS, convCase, matmulCase } from "../src/measure/kernels.ts";

const [what = "", ...rest] = (Deno.args[0] ?? "").split("-");
const part = CONV_PARTS.find((part) => part.startsWith(rest[0] ?? "-"));
if (what !== "matmul" && !(what === "conv" && part)) throw new UsageError("name a kernel, such as matmul-512");
const gpu = await requestBackend(), [channels, side] = rest.slice(1).map(Number) as [number, number];
const benchCase = what === "matmul"
  ? matmulCase(Number(rest[0]))
  : convCase(part!, { batch: 32, channels, outputs: channels, side, kernel: 3 });
await benchCase.check();
const { median } = await time(gpu, benchCase.run, { roundMs: 300, rounds: 3 });
console.log(JSON.stringify({ kernel: benchCase.name, ms: median, gflops: benchCase.work / median / 1e6 }));
Deno.exit(0);
