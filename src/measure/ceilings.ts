/**
 * The best that the adapter can do, as far as a kernel can find out: multiply-adds on registers, streaming through memory,
 * and the cost of a dispatch. A kernel's share of these ceilings shows how much faster it could be.
 *
 * @module
 */
import { shader } from "../../shaders/mod.ts";
import { GpuError } from "../errors.ts";
import { type Op, record } from "../graph/node.ts";
import { linearGrid } from "../ops/shape/shape.ts";
import { compile } from "../tensor/compile.ts";
import { noGrad, tensor, zeros } from "../tensor/create.ts";
import { Tensor } from "../tensor/tensor.ts";
import { noise } from "../random.ts";
import { type BenchCase, checkElements } from "./bench.ts";

const fmaKernel = shader("bench/bench_fma.wgsl");
const countKernel = shader("bench/bench_count.wgsl");
const streamKernel = shader("bench/bench_stream.wgsl");

const CHAINS = 12, UNROLLED = 16;

/** Input: the two factors. Output: one sum for each invocation. */
const fmaOp: Op<{ count: number; loops: number }> = {
  name: "benchFma",
  outputs: (_, { count }) => [{ shape: [count], dtype: "f32" }],
  dispatches: ({ inputs: [factors], outputs: [y], attrs: { count, loops } }) => [{
    kernel: fmaKernel,
    constants: { CHAINS, LOOPS: loops },
    bindings: [factors!, y!],
    grid: [count / 64, 1, 1],
  }],
};

const streamOp: Op<{ each: number }> = {
  name: "benchStream",
  outputs: ([x]) => [x!],
  overwrites: () => [0],
  dispatches: ({ inputs: [x], attrs: { each } }) => [{
    kernel: streamKernel,
    constants: { SIZE: x!.size / 4, EACH: each },
    bindings: [x!],
    grid: linearGrid(x!.size / 4, 64 * each),
  }],
};

const countOp: Op<null> = {
  name: "benchCount",
  outputs: ([counter]) => [counter!],
  overwrites: () => [0],
  dispatches: (
    { inputs: [counter] },
  ) => [{ kernel: countKernel, constants: {}, bindings: [counter!], grid: [1, 1, 1] }],
};

/** Fused multiply-adds on registers: `count` invocations (a multiple of 64, below 4 million) of `loops` × 192 each. */
export function fmaCase(count = 262144, loops = 32): BenchCase {
  const name = "multiply-adds on registers", factors = [0.999, 0.0005];
  const input = tensor(factors);
  const program = compile(() => new Tensor(record(fmaOp, [input.value], { count, loops })[0]!));
  return {
    name,
    work: 2 * count * loops * UNROLLED * CHAINS,
    unit: "flop",
    async check() {
      await program.run();
      checkElements(name, await program.result.data(), count, (index) => {
        const [a, b] = factors.map(Math.fround) as [number, number];
        let total = 0;
        for (let c = 0; c < CHAINS; c++) {
          let x = (index + c) % 64 / 64;
          for (let i = 0; i < loops * UNROLLED; i++) x = x * a + b;
          total += x;
        }
        return total;
      });
    },
    run: (times) => program.run(times),
    async dispose() {
      await program.dispose();
      input.dispose();
      program.result.dispose();
    },
  };
}

/**
 * Reads and writes `mebibytes` in place, `each` vectors of four (a power of two up to 64) for each invocation. Bytes read and
 * written both count. Data that stay in a cache can be faster.
 */
export function streamCase(mebibytes = 64, each = 8): BenchCase {
  const name = `streaming through ${mebibytes} MiB`, data = noise(mebibytes * 262144, 1);
  const x = tensor(data);
  const program = compile(() => {
    noGrad(() => x.assign(record(streamOp, [x.value], { each })[0]!, "stream"));
  });
  return {
    name,
    work: 2 * data.byteLength,
    unit: "byte",
    async check() {
      await program.run(3);
      const turned = await x.data();
      const wrong = data.findIndex((one, i) => turned[i] !== -one);
      if (wrong >= 0) throw new GpuError(`${name}: element ${wrong} is ${turned[wrong]}, not ${-data[wrong]!}`);
    },
    run: (times) => program.run(times),
    async dispose() {
      await program.dispose();
      x.dispose();
    },
  };
}

/**
 * Dispatches that do almost nothing, each of which must wait for the one before: a counter goes up by one. `check()` may
 * be called at any time; it proves that every dispatch ran.
 */
export function dispatchCase(): BenchCase {
  const name = "dispatches", counter = zeros([1], { dtype: "u32" });
  const program = compile(() => {
    noGrad(() => counter.assign(record(countOp, [counter.value], null)[0]!, "count"));
  });
  let total = 0;
  const run = async (times: number) => {
    total += times;
    await program.run(times);
  };
  return {
    name,
    work: 1,
    unit: "dispatch",
    async check() {
      await run(3);
      const counted = await counter.item();
      if (counted !== total) throw new GpuError(`${name}: the GPU counts ${counted} of ${total} dispatches`);
    },
    run,
    async dispose() {
      await program.dispose();
      counter.dispose();
    },
  };
}
