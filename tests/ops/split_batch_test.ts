/**
 * Inputs that are larger than a uniform buffer: bound as several windows, or split between several dispatches. Only a
 * software driver profits from it; the tests choose kernels for one on every device.
 */
import { assert, assertEquals } from "@std/assert";
import { F, type Tensor } from "../../src/mod.ts";
import type { Device, Value } from "../../src/graph/node.ts";
import { Variants } from "../../src/backend/variants.ts";
import { GPU, type Profile, SOFTWARE_GPU } from "../../src/backend/profile.ts";
import { batchChunks, productBlocks } from "../../src/ops/split_batch.ts";
import { benchStep } from "../../src/measure/steps.ts";
import { type Nd, transpose } from "../support/array.ts";
import { checkOp, gradcheck } from "../support/gradcheck.ts";
import { layoutsOf, withProfile } from "../support/profile.ts";
import { uniform } from "../support/random.ts";
import { linear, matmul, matmulGrads } from "../support/reference.ts";
import type { Options } from "../support/reference_ops.ts";

const device = (profile: Profile): Device => ({
  profile,
  alignment: 32,
  workgroup: { invocations: 256, bytes: 16384 },
  variants: new Variants(),
});
const bytes = (size: number) => ({ bytes: size }) as Value;

Deno.test("batchChunks() gives the fewest slices of a batch that fit a uniform buffer and begin where one can be bound", () => {
  const cases: [string, number, number, number[], number[]][] = [
    ["fits whole", 1, 128, [65536], [1e6]],
    ["two halves", 2, 128, [131072], []],
    ["a third would be enough, and does not divide", 4, 128, [3 * 65536], []],
    ["the largest input decides", 8, 128, [131072, 8 * 65536], []],
    ["outputs may be large", 2, 128, [131072], [1e6 * 64]],
    ["outputs must begin at a multiple of the alignment", 1, 8, [131072], [96]],
    ["a prime batch", 1, 131, [131 * 1024], []],
    ["two windows, where one would need another divisor", 5, 5, [10 * 65536], []],
    ["too large for a part each", 1, 4, [17 * 65536], []],
  ];
  for (const [what, count, n, inputs, outputs] of cases) {
    assertEquals(batchChunks(n, inputs.map(bytes), outputs.map(bytes), device(SOFTWARE_GPU)), count, what);
    assertEquals(batchChunks(n, inputs.map(bytes), outputs.map(bytes), device(GPU)), 1, what);
  }
});

Deno.test("productBlocks() splits rows and columns, by windows of as few bytes as the number of dispatches allows", () => {
  const of = (m: number, n: number, k: number, contiguous = true) =>
    productBlocks(
      { bytes: 4 * m * k, extent: m, contiguous },
      { bytes: 4 * n * k, extent: n, contiguous },
      n,
      device(SOFTWARE_GPU),
    );
  assertEquals(of(4, 120, 400), { rows: 1, columns: 3 });
  assertEquals(of(128, 120, 400), { rows: 4, columns: 3 });
  assertEquals(of(128, 120, 400, false), { rows: 1, columns: 1 });
  assertEquals(of(512, 512, 512), { rows: 8, columns: 8 });
  assertEquals(of(8192, 8192, 8192), { rows: 1, columns: 1 });
});

/** A test with the kernels for a software driver, which must bind large inputs as uniform buffers. */
function softwareTest(name: string, fn: () => Promise<void>): void {
  Deno.test(name, async () => {
    const layouts = await withProfile(SOFTWARE_GPU, () => layoutsOf(fn));
    assert(layouts.some((types) => types.includes("uniform")), "no kernel reads a uniform buffer");
  });
}

// The analytic gradients of the references are compared with central differences in the tests of each op, at small sizes.
// Here that would take most of the time.
const convs: [string, number[], number[], Options?][] = [
  ["four parts", [32, 8, 16, 16], [8, 8, 3, 3], { padding: 1 }],
  ["windows that no part of the batch fits", [3, 8, 40, 40], [6, 8, 3, 3]],
  ["strides and groups", [16, 8, 24, 24], [4, 4, 3, 3], { groups: 2, stride: 2, padding: 1 }],
];
convs.forEach(([what, x, w, options], i) => {
  softwareTest(
    `conv2d() of a large batch and its gradients: ${what}`,
    () =>
      checkOp("conv2d", [uniform(10 + i, x), uniform(20 + i, w, 0.5), uniform(30 + i, [w[0]!])], options, {
        smooth: false,
      }),
  );
});

for (const [m, k, n] of [[128, 400, 120], [96, 192, 512], [40, 700, 44], [1000, 30, 7]] as const) {
  for (const [form, tb] of [["NN", false], ["NT", true]] as const) {
    const turn = (x: Nd) => tb ? transpose(x) : x, turned = (x: Tensor) => tb ? x.t() : x;
    softwareTest(`matmul() of large matrices and its gradients: ${form} ${m}x${k}x${n}`, () =>
      gradcheck({
        inputs: [uniform(1, [m, k]), uniform(2, tb ? [n, k] : [k, n])],
        op: (a, b) => a.matmul(turned(b)),
        reference: (a, b) => matmul(a, turn(b)),
        gradients: (dy, a, b) => {
          const [da, db] = matmulGrads(dy, a, turn(b));
          return [da!, turn(db!)];
        },
        smooth: false,
      }));
  }
}

softwareTest("linear() then relu of a large batch", () =>
  gradcheck({
    inputs: [uniform(5, [128, 400]), uniform(6, [120, 400], 0.1), uniform(7, [120])],
    op: (x, w, b) => F.relu(F.linear(x, w, b)).sum(),
    reference: (x, w, b) => {
      const y = linear(x, w, b);
      return { shape: [], data: Float64Array.of(y.data.reduce((sum, v) => sum + Math.max(v, 0), 0)) } as unknown as Nd;
    },
    gradients: (seed, x, w, b) => {
      const y = linear(x, w, b), dy = { ...y, data: y.data.map((v) => v > 0 ? seed.data[0]! : 0) } as Nd;
      const [dx, dw] = matmulGrads(dy, x, transpose(w)), db = new Float64Array(120);
      dy.data.forEach((v, i) => db[i % 120]! += v);
      return [dx!, transpose(dw!), { shape: [120], data: db } as unknown as Nd];
    },
    smooth: false,
  }));

softwareTest("LeNet's step at batch 128: the loss and its slopes, against the CPU", async () => {
  const step = benchStep("lenet", 128);
  try {
    await step.check();
  } finally {
    await step.dispose();
  }
});
