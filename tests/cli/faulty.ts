/**
 * `wgrad train` on a GPU that fails: `deno run -A faulty.ts FAULT ARGS…`. FAULT is one of these:
 *
 * - `lose:N`: the device is lost at the N-th submission; `lose:N,M`: and once more at the M-th.
 * - `hang:N`: the N-th read, and each after it, takes a minute.
 * - `memory:N`: no more than N bytes of the GPU's memory can be had.
 * - `block:FILE`: a folder takes the place of this file of the run, as soon as the run has begun.
 *
 * Behind `@` may be a file from whose existence on is counted: `lose:1@FILE`. How many steps go into a submission depends
 * on the machine's speed, so that a number alone does not say whether a checkpoint was saved before.
 */
import { existsSync } from "node:fs";
import { command } from "../../src/cli/train.ts";
import { parse } from "../../src/cli/flags.ts";
import { DeviceLostError, WgradError } from "../../src/errors.ts";
import { currentBackend } from "../../src/backend/request.ts";

const [fault = "", ...args] = Deno.args, [kind, numbers = ""] = fault.split(":");
const [counts = "", since = ""] = numbers.split("@"), at = counts.split(",").map(Number);
let count = 0;

/** Counts one event. @returns whether it is one at which the fault happens. */
function counted(): boolean {
  return (since === "" || existsSync(since)) && at.includes(++count);
}

if (kind === "lose") {
  const { submit } = GPUQueue.prototype;
  GPUQueue.prototype.submit = function (buffers: Iterable<GPUCommandBuffer>) {
    if (counted()) {
      currentBackend()!.fail(new DeviceLostError("the GPU device was lost (injected)", { remedy: "start again" }));
    }
    return submit.call(this, buffers as GPUCommandBuffer[]);
  };
} else if (kind === "hang") {
  const { mapAsync } = GPUBuffer.prototype;
  let hangs = false;
  GPUBuffer.prototype.mapAsync = async function (...args) {
    if (!hangs && counted()) {
      hangs = true;
      console.error("hanging");
    }
    if (hangs) await new Promise((resolve) => setTimeout(resolve, 60_000));
    return await mapAsync.apply(this, args);
  };
} else if (kind === "block") {
  const { log } = console;
  console.log = (line: string) => {
    log(line);
    if (!line.startsWith("run:")) return;
    if (existsSync(numbers)) Deno.removeSync(numbers);
    Deno.mkdirSync(numbers);
  };
} else if (kind === "memory") {
  const { createBuffer } = GPUDevice.prototype;
  let total = 0;
  GPUDevice.prototype.createBuffer = function (descriptor: GPUBufferDescriptor) {
    total += descriptor.size;
    if (total > at[0]!) {
      // As the browser tells of it.
      const error = new GPUOutOfMemoryError("injected");
      queueMicrotask(() => this.dispatchEvent(new GPUUncapturedErrorEvent("uncapturederror", { error })));
    }
    return createBuffer.call(this, descriptor);
  };
}

try {
  Deno.exit(await command.run(parse(command, args)));
} catch (error) {
  if (!(error instanceof WgradError)) throw error;
  console.error(`error: ${error.message}`);
  Deno.exit(error.exitCode);
}
