/**
 * The device: every shader compiles as it lies, errors are typed and name what is wrong, memory is counted and reused.
 */
import { assert, assertEquals, assertMatch, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import { DeviceLostError, GpuError, UsageError } from "../../src/errors.ts";
import { type Backend, checkLimits, counters, Gpu, remedy, requestGpu } from "../../src/backend/webgpu/device.ts";
import { allocate, allocateStorage, read, write } from "../../src/backend/webgpu/memory.ts";
import { filesOf, read as readFile, ROOT } from "../project/support.ts";
import { bind, compiled, pipelineOf, shaderOf } from "../../src/backend/webgpu/pipeline.ts";
import { print } from "../../src/wgsl/print.ts";
import { specialize } from "../../src/wgsl/specialize.ts";
import { shader, type SHADERS } from "../../shaders/mod.ts";

const gpu = await requestGpu();

for (const path of filesOf("shaders").filter((path) => path.endsWith(".wgsl") && !path.startsWith("shaders/parts/"))) {
  Deno.test(`${path} compiles as it lies, with what it includes`, async () => {
    const file = readFile(path), kernel = shader(path.slice("shaders/".length) as keyof typeof SHADERS);
    const code = file.includes("// @include") ? print(specialize(kernel, {})) : file;
    gpu.device.pushErrorScope("validation");
    const module = gpu.device.createShaderModule({ code });
    // What others include has no entry.
    if (code.includes("@compute")) {
      gpu.device.createComputePipeline({ layout: "auto", compute: { module, entryPoint: "main" } });
    }
    assertEquals((await gpu.device.popErrorScope())?.message, undefined);
  });
}

const broken = (statement: string) =>
  `@group(0) @binding(0) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(1)
fn main() {
  ${statement}
}
`;

Deno.test("an error in a kernel names file, line, column and the source line", () => {
  const kernel = { file: "broken.wgsl", source: broken("y[0] = nothing;") };
  const error = assertThrows(() => shaderOf(gpu, kernel, {}));
  assert(error instanceof Error);
  assertMatch(error.message, /^shaders\/broken\.wgsl:5:\d+: .*nothing.* in "y\[0\] = nothing;"$/s);
});

Deno.test("an error that only the driver finds names them too", async () => {
  const source = `// A comment, which is not compiled.
fn nothing() -> f32 {
  if (true) {
  }
}
${broken("y[0] = nothing();")}`;
  pipelineOf(gpu, shaderOf(gpu, { file: "broken.wgsl", source }, {}));
  const error = await assertRejects(compiled, GpuError);
  assertMatch(error.message, /^shaders\/broken\.wgsl:2:\d+: .* in "fn nothing\(\) -> f32 \{"$/s);
  await compiled(); // Said once.
});

Deno.test("pipelineOf() compiles a kernel once for each set of constants", async () => {
  const source = `const N: u32 = 1u;
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@compute @workgroup_size(1) fn main() { y[0] = x[0] + f32(N); }`;
  const kernel = { file: "cached.wgsl", source }, before = counters.pipelinesCreated;
  const first = pipelineOf(gpu, shaderOf(gpu, kernel, { N: 1 }));
  assertStrictEquals(first, pipelineOf(gpu, shaderOf(gpu, kernel, { N: 1 })));
  pipelineOf(gpu, shaderOf(gpu, kernel, { N: 2 }));
  await compiled();
  assertEquals(counters.pipelinesCreated - before, 2);
  assertEquals(first.bindings, [{ number: 0, type: "read-only-storage" }, { number: 1, type: "storage" }]);
  assertThrows(() => bind(gpu, first, []), Error, "2 buffers");
});

Deno.test("memory is counted, reused, and read back as it was written", async () => {
  const storage = allocateStorage(gpu, 400), live = counters.buffersLive;
  const data = Float32Array.from({ length: 100 }, (_, i) => i / 3);
  write(gpu, storage, data);
  const other = allocateStorage(gpu, 8);
  write(gpu, other, Uint32Array.of(1, 2));
  const [a, b] = await read(gpu, [storage, other]);
  assertEquals([new Float32Array(a!), new Uint32Array(b!)], [data, Uint32Array.of(1, 2)]);
  storage.block.release();
  assertEquals(allocate(gpu, 500), storage.block, "a block of its size is used again");
  assertEquals(counters.buffersLive, live + (other.block === storage.block ? 0 : 1));
});

Deno.test("a tensor that no buffer can hold is refused with its size", () => {
  assertThrows(() => allocate(gpu, 2 ** 40), GpuError, "1099511627776 bytes");
});

Deno.test("an uncaptured error and a lost device become typed errors at the next use", async () => {
  const adapter = await navigator.gpu.requestAdapter();
  const device = await adapter!.requestDevice();
  const own = new Gpu(device, gpu.adapter);
  own.check();
  device.createBuffer({ size: 16, usage: 0 }); // Not allowed.
  const error = await assertRejects(() => own.failed, GpuError);
  assertMatch(error.message, /^the GPU refused a command: /);
  assert(!error.message.includes("\n"));
  assertThrows(() => own.check(), GpuError, "refused");
  await assertRejects(() => read(own, [allocateStorage(gpu, 4)]), GpuError, "refused");
  device.destroy();
});

Deno.test("a lost device becomes a typed error at the next use; one that was destroyed on purpose does not", async () => {
  const fake = (reason: string) =>
    Object.assign(new EventTarget(), { lost: Promise.resolve({ reason, message: "the driver\n was reset" }) });
  const lost = new Gpu(fake("unknown") as unknown as GPUDevice, gpu.adapter);
  await assertRejects(
    () => lost.failed,
    DeviceLostError,
    "the GPU device was lost (the driver was reset): start again",
  );
  assertThrows(() => lost.check(), DeviceLostError);
  const closed = new Gpu(fake("destroyed") as unknown as GPUDevice, gpu.adapter);
  await Promise.resolve();
  closed.check();
});

Deno.test("an adapter that is too small is refused, each missing limit named", () => {
  const { limits } = gpu.device;
  checkLimits(limits, "this one");
  const low: Record<string, number> = { maxStorageBuffersPerShaderStage: 4, maxComputeWorkgroupSizeX: 128 };
  const small = new Proxy({}, { get: (_, name) => low[String(name)] ?? limits[name as "maxBufferSize"] });
  const error = assertThrows(() => checkLimits(small as GPUSupportedLimits, "a small card"), GpuError);
  assertEquals(
    error.message,
    'the adapter "a small card" is too small for wgrad: maxStorageBuffersPerShaderStage is 4, and 8 is needed; ' +
      "maxComputeWorkgroupSizeX is 128, and 256 is needed: choose another with --adapter or --backend",
  );
});

Deno.test("asking for a device when there is one is refused", () => {
  assertThrows(() => requestGpu({ adapter: "x" }), UsageError, "before the first tensor");
});

Deno.test("the remedy fits the system", () => {
  assertMatch(remedy("linux"), /apt-get install mesa-vulkan-drivers/);
  assertMatch(remedy("darwin"), /Metal/);
  assertMatch(remedy("windows"), /driver/);
});

/** Opens the GPU in a process of its own. @returns what it says. */
async function openElsewhere(options: { adapter?: string; backend?: string }, env: Record<string, string> = {}) {
  const code = `import { requestGpu } from "./src/backend/webgpu/device.ts";
    try { console.log((await requestGpu(${JSON.stringify(options)})).adapter.name); }
    catch (error) { console.log(error.exitCode, error.message); }`;
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["eval", "--no-check", "--ext=ts", code],
    cwd: ROOT,
    env,
  }).output();
  return new TextDecoder().decode(stdout).trim();
}

Deno.test("an adapter is chosen by part of its name; a wrong name is answered with what there is", async () => {
  const { name } = gpu.adapter;
  assertEquals(await openElsewhere({ adapter: name.slice(0, 5).toUpperCase() }), name);
  const answer = await openElsewhere({ adapter: "no such card" });
  assertEquals(answer, `2 no adapter is named "no such card": this machine has ${name}`);
});

Deno.test("without an adapter the error says what to do", async () => {
  // A backend that this system lacks, and a driver folder without drivers.
  const foreign: Backend = Deno.build.os === "darwin" ? "dx12" : "metal";
  assertMatch(
    await openElsewhere({ backend: foreign }),
    new RegExp(`^1 no GPU adapter was found for the backend ${foreign}: `),
  );
  assertMatch(await openElsewhere({ backend: "cuda" }), /^2 no such backend: cuda \(choose from vulkan, /);
});
