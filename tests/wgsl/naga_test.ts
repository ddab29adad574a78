/**
 * What is printed is WGSL: naga, the compiler inside Deno's WebGPU, validates every kernel as it stands and the variants
 * that the self test and LeNet's steps make; and reading a text back gives the same tree.
 */
import { assert, assertEquals } from "@std/assert";
import { NagaError, parseWgsl, validate } from "npm:naga-wasm@30.1.0";
import { shader, type SHADERS } from "../../shaders/mod.ts";
import { requestBackend } from "../../src/backend/request.ts";
import type { WebGpuBackend } from "../../src/backend/webgpu/backend.ts";
import { GPU, type Profile, SOFTWARE_GPU } from "../../src/backend/profile.ts";
import { selfTest } from "../../src/measure/self_test.ts";
import { benchStep } from "../../src/measure/steps.ts";
import { print } from "../../src/wgsl/print.ts";
import { specialize } from "../../src/wgsl/specialize.ts";
import { filesOf } from "../project/support.ts";
import { moduleOf, tree } from "./support.ts";

const gpu = await requestBackend() as WebGpuBackend;

/** The lines in an order of their own: what is declared first may be declared last. */
const sorted = (text: string) => text.split("\n").sort();

/** Validates a text, reads it back, and compares. */
function check(text: string): void {
  try {
    using module = parseWgsl(text);
    using info = validate(module);
    assert(info);
  } catch (error) {
    throw error instanceof NagaError ? new Error(`${error.formatted}\n${text}`) : error;
  }
  const module = moduleOf(text), again = print(module);
  assertEquals(sorted(again), sorted(text));
  assertEquals(tree(moduleOf(again)), tree(module));
}

/** The texts that are compiled while `work` runs on kernels for `profile`. */
async function textsOf(profile: Profile, work: () => Promise<void>): Promise<Set<string>> {
  const texts = new Set<string>(), { device } = gpu, create = device.createShaderModule, before = gpu.profile;
  device.createShaderModule = function (descriptor: GPUShaderModuleDescriptor) {
    texts.add(descriptor.code);
    return create.call(device, descriptor);
  };
  Object.assign(gpu, { profile });
  try {
    await work();
  } finally {
    device.createShaderModule = create;
    Object.assign(gpu, { profile: before });
  }
  return texts;
}

Deno.test("naga tells a text that is no WGSL", () => {
  let message = "";
  try {
    check("fn f() -> f32 {\n}\n");
  } catch (error) {
    message = error instanceof Error ? error.message : "";
  }
  assert(message.includes("fn f()"), message);
});

for (const path of filesOf("shaders").filter((path) => path.endsWith(".wgsl") && !path.startsWith("shaders/parts/"))) {
  Deno.test(`${path} is printed as WGSL that reads back as the same tree`, () => {
    const kernel = shader(path.slice("shaders/".length) as keyof typeof SHADERS);
    const module = specialize(kernel, {});
    check(print(module));
    assertEquals(tree(moduleOf(print(module))), tree(module));
  });
}

for (const [name, profile] of Object.entries({ GPU, SOFTWARE_GPU })) {
  Deno.test(`so are the variants of LeNet's step on ${name}, alone and merged`, async () => {
    const texts = await textsOf(profile, async () => {
      const step = benchStep("lenet", 4);
      await step.run(1);
      await step.dispose();
    });
    assert(texts.size > 10, `${texts.size} texts`);
    assertEquals([...texts].some((text) => text.includes("fn p1_main(")), profile.merges);
    assertEquals([...texts].some((text) => text.includes("var<uniform>")), profile.uniformBytes > 0);
    for (const text of texts) check(text);
  });
}

Deno.test("so are the variants of every family that the self test runs", async () => {
  const texts = await textsOf(gpu.profile, async () => {
    const results = await selfTest(gpu);
    assertEquals(results.filter(({ ok }) => !ok), []);
  });
  assert(texts.size > 50, `${texts.size} texts`);
  for (const text of texts) check(text);
});
