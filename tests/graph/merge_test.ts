/**
 * Merging of dispatches: which ones may run side by side, and that what they compute stays the same, bit for bit.
 */
import { assert, assertEquals } from "@std/assert";
import { GPU, SOFTWARE_GPU } from "../../src/backend/profile.ts";
import { requestBackend } from "../../src/backend/request.ts";
import type { Block, Storage } from "../../src/backend/memory.ts";
import { shaderOf } from "../../src/backend/shader.ts";
import type { Command, Dispatch } from "../../src/backend/backend.ts";
import { merge, MOST_WORKGROUPS } from "../../src/graph/merge.ts";
import { compile, F, nn, optim, type Tensor } from "../../src/mod.ts";
import { print } from "../../src/wgsl/print.ts";
import { assertSameBits } from "../support/close.ts";
import { toTensor, values } from "../support/gradcheck.ts";
import { withMerging } from "../support/merging.ts";
import { batchTensors, setWeights } from "../support/nets.ts";
import { layoutsOf, withProfile } from "../support/profile.ts";
import { bits, uniform } from "../support/random.ts";

const gpu = await requestBackend();
/** Floats of a place, and places of a block. */
const SIZE = 64, PLACES = 4;

/** A kernel y = y / 2 + Σ x + N, of `lanes` lanes, that reads so many inputs. Its sum waits for all lanes, or not. */
function kernelOf(inputs: number, lanes: number, waits: boolean) {
  const names = Array.from({ length: inputs }, (_, i) => `x${i}`);
  return {
    file: `step_${inputs}_${lanes}_${waits}.wgsl`,
    source: `const N: f32 = 0.0;
${names.map((name, i) => `@group(0) @binding(${i}) var<storage, read> ${name}: array<f32>;`).join("\n")}
@group(0) @binding(${inputs}) var<storage, read_write> y: array<f32>;
${waits ? `var<workgroup> shared_y: array<f32, ${lanes}>;` : ""}
@compute @workgroup_size(${lanes})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = (group.y * groups.x + group.x) * ${lanes}u + lane;
  var value = y[i] / 2.0 + N${names.map((name) => ` + ${name}[i]`).join("")};
  ${waits ? `shared_y[lane] = value; workgroupBarrier(); value += shared_y[${lanes - 1}u - lane];` : ""}
  y[i] = value;
}
`,
  };
}

/** A dispatch over a whole place. */
function dispatch(
  to: Storage,
  from: readonly Storage[],
  { lanes = 64, n = 1, waits = false, sizes = true } = {},
): Dispatch {
  const storages = [...from, to];
  const shader = shaderOf(
    gpu,
    kernelOf(from.length, lanes, waits),
    { N: n },
    sizes ? storages.map(({ size }) => size) : [],
  );
  const groups = SIZE / lanes;
  return { shader, storages, grid: groups > 1 ? [groups / 2, 2, 1] : [1, 1, 1] };
}

const blocks: Block[] = [];
/** A block, as places. */
function places(): Storage[] {
  const { block } = gpu.allocateStorage(PLACES * SIZE * 4);
  blocks.push(block);
  return Array.from({ length: PLACES }, (_, i) => ({ block, offset: i * SIZE * 4, size: SIZE * 4 }));
}
const [a, b, c, d, e] = [places(), places(), places(), places(), places()] as const;

/** The number of parts of each command that is left; "copy" for copies. */
function shape(commands: readonly Command[]): (number | "copy")[] {
  return merge(commands).map((one) => "shader" in one ? one.shader.file.split("+").length : "copy");
}

Deno.test("what reads the same, and writes apart, runs side by side", () => {
  assertEquals(shape([dispatch(a[0]!, [c[0]!]), dispatch(b[0]!, [c[0]!])]), [2]);
  assertEquals(shape([dispatch(a[0]!, [d[0]!]), dispatch(b[0]!, [d[1]!]), dispatch(c[0]!, [d[0]!])]), [3]);
});

Deno.test("what reads what another wrote, writes what another reads, or writes the same waits its turn", () => {
  assertEquals(shape([dispatch(a[0]!, [c[0]!]), dispatch(b[0]!, [a[0]!])]), [1, 1]);
  assertEquals(shape([dispatch(a[0]!, [c[0]!]), dispatch(c[0]!, [b[0]!])]), [1, 1]);
  assertEquals(shape([dispatch(a[0]!, [c[0]!]), dispatch(a[0]!, [b[0]!])]), [1, 1]);
});

Deno.test("a dispatch does not read another part of a buffer that it writes; it may write several parts", () => {
  assertEquals(shape([dispatch(a[0]!, [c[0]!]), dispatch(b[0]!, [a[1]!])]), [1, 1]);
  assertEquals(shape([dispatch(a[0]!, [c[0]!]), dispatch(c[1]!, [b[0]!])]), [1, 1]);
  assertEquals(shape([dispatch(a[0]!, [c[0]!]), dispatch(a[1]!, [b[0]!])]), [2]);
});

Deno.test("a dispatch moves over what it does not depend on, and over nothing else", () => {
  const first = dispatch(a[0]!, [c[0]!]), second = dispatch(b[0]!, [a[0]!]);
  assertEquals(shape([first, second, dispatch(d[0]!, [c[0]!])]), [1, 2]);
  // It cannot run with the second, whose result it writes beside; it can with the first.
  assertEquals(shape([first, second, dispatch(d[0]!, [b[1]!])]), [2, 1]);
  // Reads what the second writes; overwrites what the second reads.
  assertEquals(shape([first, second, dispatch(d[0]!, [b[0]!])]), [1, 1, 1]);
  assertEquals(shape([first, second, dispatch(a[0]!, [c[0]!])]), [1, 1, 1]);
});

Deno.test("an earlier dispatch moves down where a later one cannot move up", () => {
  // The third reads what the second writes, so that it cannot join the first; but the first can join it.
  const first = dispatch(a[0]!, [d[0]!]), second = dispatch(b[0]!, [e[0]!, a[1]!]), third = dispatch(c[0]!, [b[0]!]);
  assertEquals(shape([first, second, third]), [1, 2]);
  assertEquals(shape([dispatch(a[0]!, [d[0]!]), dispatch(b[0]!, [e[0]!, a[0]!]), third]), [1, 1, 1]);
});

Deno.test("copies are kept, and are moved over only where they touch something else", () => {
  const first = dispatch(a[0]!, [c[0]!]), copy = (from: Storage, to: Storage) => ({ from, to });
  const last = dispatch(b[0]!, [d[0]!]);
  assertEquals(shape([first, copy(e[0]!, c[1]!), last]), [2, "copy"]);
  // Into what the last reads, from what the first writes.
  assertEquals(shape([first, copy(a[0]!, d[0]!), last]), [1, "copy", 1]);
  // Out of what the last writes, into what the first reads.
  assertEquals(shape([first, copy(b[0]!, c[0]!), last]), [1, "copy", 1]);
  // The first can go behind this one, and the last before it.
  assertEquals(shape([first, copy(b[0]!, e[0]!), last]), ["copy", 2]);
  assertEquals(shape([first, copy(a[0]!, e[0]!), last]), [2, "copy"]);
});

Deno.test("a merged dispatch binds eight storage buffers at most, and each input once", async () => {
  const plain = { sizes: false }, many = places();
  const reading = (to: Storage, from: Storage[]) => dispatch(to, from, plain);
  const four = [b[0]!, b[1]!, b[2]!], other = [c[0]!, c[1]!, c[2]!];
  assertEquals(shape([reading(a[0]!, four), reading(a[1]!, other)]), [2]);
  assertEquals(shape([reading(a[0]!, four), reading(a[1]!, [...other, c[3]!])]), [1, 1]);
  // Three inputs for all, and five outputs; the sixth is too many.
  const all = [a[0]!, a[1]!, a[2]!, d[0]!, d[1]!, d[2]!].map((to) => reading(to, four));
  assertEquals(shape(all), [5, 1]);
  const [merged] = merge(all) as [Dispatch];
  assertEquals([merged.storages.length, merged.shader.bindings.length, merged.grid], [8, 8, [5, 1, 1]]);
  assertEquals(print(merged.shader.module).match(/@binding/g)!.length, 8);
  // Uniform buffers have a limit of their own: twelve. A software driver's kernels bind inputs as such.
  await withProfile(SOFTWARE_GPU, () => {
    const inputs = [...b, ...c, ...many], some = (from: number, to: number) => inputs.slice(from, to);
    assertEquals(shape([dispatch(a[0]!, some(0, 7)), dispatch(a[1]!, some(7, 12))]), [2]);
    assertEquals(shape([dispatch(a[0]!, some(0, 7)), dispatch(a[1]!, [...some(7, 12), e[0]!])]), [1, 1]);
  });
});

Deno.test("large dispatches, and lanes that others would wait for, stay alone", () => {
  const first = dispatch(a[0]!, [c[0]!]),
    large = { ...dispatch(b[0]!, [c[0]!]), grid: [MOST_WORKGROUPS, 1, 1] as const };
  assertEquals(shape([first, large]), [1, 1]);
  assertEquals(shape([first, { ...large, grid: [1, MOST_WORKGROUPS - 1, 1] }]), [2]);
  const waiting = dispatch(a[1]!, [c[0]!], { lanes: 8, waits: true });
  assertEquals(shape([first, waiting]), [1, 1]);
  assertEquals(shape([dispatch(b[0]!, [c[0]!], { lanes: 1 }), waiting]), [2]);
});

Deno.test("60 random lists of dispatches and copies leave the same memory, merged or not", async () => {
  const memory = [a, b, c, d, e],
    start = memory.map((_, i) => Float32Array.from(uniform(70 + i, [PLACES * SIZE]).data));
  const run = async (commands: readonly Command[]) => {
    memory.forEach(([first], i) => gpu.write(first!, start[i]!));
    await gpu.program(commands).run();
    const all = memory.map(([first]) => ({ ...first!, size: PLACES * SIZE * 4 }));
    return (await gpu.read(all)).map((bytes) => new Float32Array(bytes));
  };
  let before = 0, after = 0;
  for (let seed = 0; seed < 60; seed++) {
    const draws = bits(seed, 256);
    let at = 0;
    const of = (count: number) => draws[at++]! % count;
    const commands = Array.from({ length: 4 + of(8) }, (): Command => {
      const target = of(5), to = memory[target]![of(PLACES)]!;
      const others = memory.filter((_, i) => i !== target), from = () => others[of(4)]![of(PLACES)]!;
      if (of(6) === 0) return { from: from(), to };
      const lanes = [8, 32, 64][of(3)]!, inputs = Array.from({ length: 1 + of(2) }, from);
      return dispatch(to, inputs, { lanes, waits: of(3) === 0, sizes: of(2) === 0 });
    });
    const merged = merge(commands);
    before += commands.length;
    after += merged.length;
    const [expected, actual] = [await run(commands), await run(merged)];
    actual.forEach((block, i) => assertSameBits(block, expected[i]!, `seed ${seed}, block ${i}`));
  }
  assert(after < 0.8 * before, `${before} commands, ${after} merged`);
  for (const block of blocks) block.release();
});

Deno.test("LeNet's training step runs fewer dispatches when they are merged, and has the same bits", async () => {
  const { images, labels } = batchTensors(0, 4);
  const train = async () => {
    const net = setWeights(nn.models.lenet(), 100);
    const optimizer = new optim.SGD(net.parameters(), { lr: 0.01, momentum: 0.9 });
    const program = compile(() => {
      const loss = F.crossEntropy(net.forward(images), labels);
      optimizer.zeroGrad();
      loss.backward();
      optimizer.step();
      return loss;
    });
    const layouts = await layoutsOf(() => program.run(5));
    const found = await values([program.result, ...net.parameters()]);
    return { found, dispatches: await program.dispatches(), layouts };
  };
  // Kernels for a software driver bind uniform buffers too, whose number is limited.
  const [off, on] = await withProfile(
    SOFTWARE_GPU,
    async () => [await withMerging(false, train), await withMerging(true, train)] as const,
  );
  assert(on.dispatches <= off.dispatches - 4, `${off.dispatches} dispatches, ${on.dispatches} merged`);
  on.found.forEach((one, i) => assertSameBits(one, off.found[i]!, `result ${i}`));
  assert(on.layouts.some((types) => types.includes("uniform")));
  for (const types of on.layouts) {
    assert(types.filter((type) => type !== "uniform").length <= 8);
    assert(types.filter((type) => type === "uniform").length <= 12);
  }
});

Deno.test("programs merge where that gains, and as they are told", async () => {
  const x = toTensor(uniform(1, [6]));
  const both = () => [x.mul(2), x.add(3)] as [Tensor, Tensor];
  const count = async () => {
    const program = compile(both);
    await program.run();
    const [double, more] = await values(program.result);
    assertEquals(double, Float32Array.from(await x.data(), (one) => one * 2));
    assertEquals(more, Float32Array.from(await x.data(), (one) => one + 3));
    return await program.dispatches();
  };
  assertEquals([await withMerging(true, count), await withMerging(false, count)], [1, 2]);
  for (const [merges, dispatches] of [[true, 1], [false, 2]] as const) {
    const profile = { ...gpu.profile, merges };
    assertEquals(await withProfile(profile, () => withMerging(null, count)), dispatches);
  }
  assertEquals([GPU.merges, SOFTWARE_GPU.merges], [true, false]);
});
