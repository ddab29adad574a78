/**
 * What goes wrong on a device reaches every caller, and leaves nothing behind.
 */
import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { DeviceLostError, GpuError } from "../../src/errors.ts";
import { PaperBackend } from "../../src/backend/paper/backend.ts";
import { requestBackend } from "../../src/backend/request.ts";
import { deviceOf, variantsOf } from "../../src/graph/device.ts";
import { constant, type Op, record, type Value } from "../../src/graph/node.ts";
import { StepProgram } from "../../src/graph/program.ts";
import { compile, F, nn, ones, optim } from "../../src/mod.ts";
import { Tensor } from "../../src/tensor/tensor.ts";

const backend = await requestBackend();

/** y = x, in a kernel that the driver refuses: a function ends without returning a value. */
const broken: Op<null> = {
  name: "broken",
  outputs: ([x]) => [x!],
  dispatches: ({ inputs, outputs }) => [{
    kernel: {
      file: "broken_program.wgsl",
      source: `@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
fn unfinished() -> f32 { if (x[0] > 0.0) { return 1.0; } }
@compute @workgroup_size(1) fn main() { y[0] = unfinished(); }
`,
    },
    constants: {},
    bindings: [...inputs, ...outputs],
    grid: [1, 1, 1],
  }],
};

Deno.test("a program whose kernel does not compile throws at every run", async () => {
  const x = ones([1]);
  const program = compile(() => new Tensor(record(broken, [x.value], null)[0]!));
  for (let i = 0; i < 3; i++) {
    const error = await assertRejects(() => program.run(), GpuError);
    assertMatch(error.message, /^shaders\/broken_program\.wgsl:3:\d+: .*unfinished/);
  }
  for (let i = 0; i < 2; i++) {
    const y = new Tensor(record(broken, [x.value], null)[0]!);
    await assertRejects(() => y.data(), GpuError, "broken_program.wgsl:3:");
  }
});

Deno.test("a read leaves no reaction behind on the promise of the device's failure", async () => {
  const storage = backend.allocateStorage(4), { lost } = backend;
  let reactions = 0;
  const then = lost.then.bind(lost);
  lost.then = ((...args: Parameters<typeof then>) => (reactions++, then(...args))) as typeof lost.then;
  try {
    for (let i = 0; i < 3; i++) await backend.read([storage]);
  } finally {
    Reflect.deleteProperty(lost, "then");
    storage.block.release();
  }
  assertEquals(reactions, 0);
});

/** A backend whose waits can be looked at. */
class Waiting extends PaperBackend {
  wait<T>(work: Promise<T>): Promise<T> {
    return this.untilLost(work);
  }
}

Deno.test("a wait ends with its work, or with the device's failure, whichever comes first", async () => {
  const device = new Waiting(), never = new Promise<never>(() => {});
  assertEquals(await device.wait(Promise.resolve(3)), 3);
  await assertRejects(() => device.wait(Promise.reject(new GpuError("of its own"))), GpuError, "of its own");
  const waits = [device.wait(never), device.wait(never)];
  device.fail(new DeviceLostError("gone"));
  device.fail(new GpuError("later"));
  for (const wait of waits) await assertRejects(() => wait, DeviceLostError, "gone");
  await assertRejects(() => device.wait(Promise.resolve(3)), DeviceLostError, "gone");
  assertEquals((await device.lost).message, "gone");
});

Deno.test("a wait that has ended is not rejected by a later failure: nothing of it is kept", async () => {
  const device = new Waiting(), withResolvers = Promise.withResolvers;
  let rejections = 0;
  Promise.withResolvers = <T>() => {
    const { promise, resolve, reject } = withResolvers.call(Promise) as PromiseWithResolvers<T>;
    return { promise, resolve, reject: (reason) => (rejections++, reject(reason)) };
  };
  try {
    for (let i = 0; i < 3; i++) assertEquals(await device.wait(Promise.resolve(i)), i);
    const pending = device.wait(new Promise<never>(() => {}));
    device.fail(new DeviceLostError("gone"));
    await assertRejects(() => pending, DeviceLostError, "gone");
  } finally {
    Promise.withResolvers = withResolvers;
  }
  assertEquals(rejections, 1); // The one that was pending.
});

Deno.test("device memory is not doubled on the side of the processor", () => {
  const paper = new PaperBackend(), before = Deno.memoryUsage().external;
  const block = paper.allocate(2048 * 1024 * 1024), grown = (Deno.memoryUsage().external - before) / 1048576;
  assert(grown <= 65, `${grown} MiB for 2048 MiB of device memory`);
  assertEquals(paper.counters.bytesLive, 2048 * 1024 * 1024);
  block.release();
  assertEquals(paper.counters.bytesLive, 0, "the pool keeps no block of that size");
});

Deno.test("an eager step ranks no kernels that an earlier step has ranked", async () => {
  const net = nn.models.lenet(), optimizer = new optim.SGD(net.parameters(), { lr: 0.01 });
  const images = ones([4, 3, 32, 32]), labels = new Tensor(constant(new Uint32Array(4), [4]));
  const step = async () => {
    optimizer.zeroGrad();
    const loss = F.crossEntropy(net.forward(images), labels);
    loss.backward();
    optimizer.step();
    await loss.item();
    return variantsOf(backend).ranked;
  };
  const before = variantsOf(backend).ranked, first = await step(), second = await step();
  assert(first - before > 300, `${first - before} candidates in the first step`);
  assertEquals(second - first, 0, "candidates in the second step");
});

Deno.test("what was measured or forced later goes before a ranking that is kept", () => {
  const { variants, profile } = deviceOf(new PaperBackend()), sorted = [{ name: "a 1" }, { name: "b 1" }];
  const [value] = record({ name: "one of two", outputs: ([x]) => [x!] }, [ones([3]).value], {}) as [Value];
  const select = () => variants.select(value.node!, profile, () => ({ sorted, cost: 1 })).name;
  assertEquals(select(), "a 1");
  variants.chosen.set("one of two 3 {}", "b 1");
  assertEquals(select(), "b 1");
  variants.family = "a";
  assertEquals([select(), variants.ranked], ["a 1", 2]);
  variants.select(value.node!, { ...profile }, () => ({ sorted, cost: 1 }));
  assertEquals(variants.ranked, 4, "another profile has a ranking of its own");
});

Deno.test("timers fire while a program runs many steps", async () => {
  const x = ones([1]), program = compile(() => void x.add_(1));
  await program.run(1);
  let fired = 0;
  const timer = setInterval(() => fired++, 10);
  try {
    const start = performance.now();
    let took = 0;
    for (let steps = 20_000; took < 1000; steps *= 2) {
      fired = 0;
      const now = performance.now();
      await program.run(steps);
      took = performance.now() - now;
      if (performance.now() - start > 60_000) throw new Error("the device is too fast for this test");
    }
    assert(fired >= 3, `${fired} times in ${took} ms`);
  } finally {
    clearInterval(timer);
  }
  await x.data();
});

Deno.test("a backend on paper plans and counts, computes nothing, and says so", async () => {
  const paper = new PaperBackend(), x = constant(Float32Array.of(1, 2), [2]);
  const [y] = record({ ...broken, name: "copy" }, [x], null) as [Value];
  const program = new StepProgram(paper, [{ value: y, end: null }], new Map(), new Set(), []);
  await program.run(5);
  assertEquals([paper.adapter.kind, program.dispatches, paper.counters.dispatches], ["paper", 1, 5]);
  assertEquals(await program.profile(1), [{ kernel: "broken_program.wgsl", workgroups: 1, microseconds: null }]);
  assertEquals(await paper.time(), null);
  await assertRejects(() => paper.read(), GpuError, "computes nothing");
  program.dispose();
});
