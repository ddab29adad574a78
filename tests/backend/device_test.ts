/**
 * The device: every shader compiles as it lies, errors are typed and name what is wrong, memory is counted and reused.
 */
import { assert, assertEquals, assertMatch, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import { DeviceLostError, GpuError, UsageError } from "../../src/errors.ts";
import { remedy } from "../../src/backend/makers.ts";
import type { BackendName } from "../../src/backend/options.ts";
import { requestBackend } from "../../src/backend/request.ts";
import { filesOf, read as readFile, ROOT } from "../project/support.ts";
import { shaderOf } from "../../src/backend/shader.ts";
import { WebGpuBackend } from "../../src/backend/webgpu/backend.ts";
import { checkLimits } from "../../src/backend/webgpu/open.ts";
import { print } from "../../src/wgsl/print.ts";
import { specialize } from "../../src/wgsl/specialize.ts";
import { shader, type SHADERS } from "../../shaders/mod.ts";

const gpu = await requestBackend() as WebGpuBackend, { counters } = gpu;

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
  const pipeline = gpu.compile(shaderOf(gpu, { file: "broken.wgsl", source }, {}));
  const error = await assertRejects(() => pipeline.ready, GpuError);
  assertMatch(error.message, /^shaders\/broken\.wgsl:2:\d+: .* in "fn nothing\(\) -> f32 \{"$/s);
});

Deno.test("compile() compiles a kernel once for each set of constants", async () => {
  const source = `const N: u32 = 1u;
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@compute @workgroup_size(1) fn main() { y[0] = x[0] + f32(N); }`;
  const kernel = { file: "cached.wgsl", source }, before = counters.pipelinesCreated;
  const first = gpu.compile(shaderOf(gpu, kernel, { N: 1 }));
  assertStrictEquals(first, gpu.compile(shaderOf(gpu, kernel, { N: 1 })));
  await gpu.compile(shaderOf(gpu, kernel, { N: 2 })).ready;
  assertEquals(counters.pipelinesCreated - before, 2);
  assertEquals(first.shader.bindings, [{ number: 0, access: "read" }, { number: 1, access: "write" }]);
  const unbound = { shader: first.shader, storages: [], grid: [1, 1, 1] } as const;
  assertThrows(() => gpu.program([unbound]), Error, "2 buffers");
});

Deno.test("memory is counted, reused, and read back as it was written", async () => {
  const storage = gpu.allocateStorage(400), live = counters.buffersLive;
  const data = Float32Array.from({ length: 100 }, (_, i) => i / 3);
  gpu.write(storage, data);
  const other = gpu.allocateStorage(8);
  gpu.write(other, Uint32Array.of(1, 2));
  const [a, b] = await gpu.read([storage, other]);
  assertEquals([new Float32Array(a!), new Uint32Array(b!)], [data, Uint32Array.of(1, 2)]);
  storage.block.release();
  assertEquals(gpu.allocate(500), storage.block, "a block of its size is used again");
  assertEquals(counters.buffersLive, live + (other.block === storage.block ? 0 : 1));
});

Deno.test("a tensor that no buffer can hold is refused with its size", () => {
  assertThrows(() => gpu.allocate(2 ** 40), GpuError, "1099511627776 bytes");
});

Deno.test("an uncaptured error and a lost device become typed errors at the next use", async () => {
  const adapter = await navigator.gpu.requestAdapter();
  const device = await adapter!.requestDevice();
  const own = new WebGpuBackend(device, gpu.adapter);
  own.check();
  device.createBuffer({ size: 16, usage: 0 }); // Not allowed.
  const error = await own.lost;
  assertEquals(error.constructor, GpuError);
  assertMatch(error.message, /^the GPU refused a command: /);
  assert(!error.message.includes("\n"));
  assertThrows(() => own.check(), GpuError, "refused");
  await assertRejects(() => own.read([gpu.allocateStorage(4)]), GpuError, "refused");
  device.destroy();
});

Deno.test("a lost device becomes a typed error at the next use; one that was destroyed on purpose does not", async () => {
  const fake = (reason: string) =>
    Object.assign(new EventTarget(), {
      limits: gpu.device.limits,
      lost: Promise.resolve({ reason, message: "the driver\n was reset" }),
    });
  const lost = new WebGpuBackend(fake("unknown") as unknown as GPUDevice, gpu.adapter);
  assertEquals((await lost.lost).message, "the GPU device was lost (the driver was reset): start again");
  assertThrows(() => lost.check(), DeviceLostError);
  const closed = new WebGpuBackend(fake("destroyed") as unknown as GPUDevice, gpu.adapter);
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
  assertThrows(() => requestBackend({ adapter: "x" }), UsageError, "before the first tensor");
});

Deno.test("the remedy fits the system", () => {
  assertMatch(remedy("linux"), /apt-get install mesa-vulkan-drivers/);
  assertMatch(remedy("darwin"), /Metal/);
  assertMatch(remedy("windows"), /driver/);
});

/** Opens the GPU in a process of its own. @returns what it says. */
async function openElsewhere(options: { adapter?: string; backend?: string }, env: Record<string, string> = {}) {
  const code = `import { requestBackend } from "./src/backend/request.ts";
    try { console.log((await requestBackend(${JSON.stringify(options)})).adapter.name); }
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
  const foreign: BackendName = Deno.build.os === "darwin" ? "dx12" : "metal";
  assertMatch(
    await openElsewhere({ backend: foreign }),
    new RegExp(`^1 no GPU adapter was found for the backend ${foreign}: `),
  );
  assertMatch(await openElsewhere({ backend: "cuda" }), /^2 no such backend: cuda \(choose from vulkan, /);
});
