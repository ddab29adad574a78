/**
 * `wgrad train` on a GPU that fails: `deno run -A faulty.ts FAULT ARGS…`. FAULT is `lose:N`, the device is lost at the N-th
 * submission, `lose:N,M`, and once more, `memory:N`, of which no more than N bytes can be had, or `hang:N`, whose N-th read
 * and all after it take a minute.
 */
import { command } from "../../src/cli/train.ts";
import { parse } from "../../src/cli/flags.ts";
import { DeviceLostError, WgradError } from "../../src/errors.ts";
import { currentGpu } from "../../src/backend/webgpu/device.ts";

const [fault = "", ...args] = Deno.args, [kind, numbers = ""] = fault.split(":");
const at = numbers.split(",").map(Number);

if (kind === "lose") {
  const { submit } = GPUQueue.prototype;
  let count = 0;
  GPUQueue.prototype.submit = function (buffers: Iterable<GPUCommandBuffer>) {
    if (at.includes(++count)) {
      currentGpu()!.fail(new DeviceLostError("the GPU device was lost (injected)", { remedy: "start again" }));
    }
    return submit.call(this, buffers as GPUCommandBuffer[]);
  };
} else if (kind === "hang") {
  const { mapAsync } = GPUBuffer.prototype;
  let count = 0;
  GPUBuffer.prototype.mapAsync = async function (...args) {
    if (++count === at[0]) console.error("hanging");
    if (count >= at[0]!) await new Promise((resolve) => setTimeout(resolve, 60_000));
    return await mapAsync.apply(this, args);
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
