/**
 * nn.init: what PyTorch computes (golden), how random elements are distributed, exact properties, and what stays of a
 * tensor.
 */
import { assert, assertEquals, assertNotEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { ShapeError } from "../../src/errors.ts";
import { compile, F, manualSeed, nn, noGrad, ones, type Tensor, zeros } from "../../src/mod.ts";
import { erf, erfinv, orthogonalFactor } from "../../src/nn/init_math.ts";
import { assertClose, assertSameBits } from "../support/close.ts";
import { toTensor } from "../support/gradcheck.ts";
import { readLines, type Stored } from "../support/golden.ts";
import { uniform } from "../support/random.ts";

const { init } = nn;

/** A line of init.jsonl. Which properties it has depends on its kind. */
interface Case {
  readonly kind: string;
  readonly name: nn.init.Nonlinearity;
  readonly param?: number;
  readonly value: number;
  readonly shape: number[];
  readonly options: nn.init.KaimingOptions;
  readonly std: number;
  readonly groups: number;
  readonly output: Stored;
  readonly drawn: number[];
  readonly x: number[];
  readonly y: number[];
}

const golden = (kind: string) => readLines<Case>("init.jsonl").filter((one) => one.kind === kind);

/** Mean, deviation, least and greatest of the elements. */
async function statistics(tensor: Tensor) {
  const data = Array.from(await tensor.data()), mean = data.reduce((sum, one) => sum + one, 0) / data.length;
  const std = Math.sqrt(data.reduce((sum, one) => sum + (one - mean) ** 2, 0) / data.length);
  return { mean, std, least: data.reduce((a, b) => Math.min(a, b)), greatest: data.reduce((a, b) => Math.max(a, b)) };
}

/** Checks that the mean and deviation of a tensor of 1e5 elements are as expected, within 5 sigma. */
async function assertDistributed(tensor: Tensor, mean: number, std: number, low = -Infinity, high = Infinity) {
  const found = await statistics(tensor), n = tensor.numel;
  assert(Math.abs(found.mean - mean) < 5 * std / Math.sqrt(n), `mean ${found.mean}, expected ${mean}`);
  assert(Math.abs(found.std - std) < 5 * std / Math.sqrt(n), `deviation ${found.std}, expected ${std}`);
  assert(found.least >= low && found.greatest <= high, `from ${found.least} to ${found.greatest}`);
  if (low > -Infinity) assert(found.least < low + 0.001 * (high - low) && found.greatest > high - 0.001 * (high - low));
}

const shape = [250, 400], many = () => zeros(shape);

Deno.test("calculateGain() gives PyTorch's numbers", () => {
  for (const { name, param, value } of golden("gain")) assertClose([init.calculateGain(name, param)], [value]);
});

Deno.test("kaiming and xavier have PyTorch's deviations and bounds, with every option", async () => {
  manualSeed(1);
  for (const { shape: own, options, std } of golden("kaiming")) {
    const count = own.reduce((product, extent) => product * extent, 1);
    const bound = Math.sqrt(3) * std, uniform = await statistics(init.kaimingUniform_(zeros(own), options));
    assert(Math.max(-uniform.least, uniform.greatest) <= bound * (1 + 1e-6));
    assert(Math.abs(uniform.std / std - 1) < 5 / Math.sqrt(2 * count));
    const normal = await statistics(init.kaimingNormal_(zeros(own), options));
    assert(Math.abs(normal.std / std - 1) < 5 / Math.sqrt(2 * count), `${normal.std} instead of ${std}`);
  }
  for (const { shape: own, std } of golden("xavier")) {
    const count = own.reduce((product, extent) => product * extent, 1);
    for (const gain of [undefined, 3]) {
      const expected = std * (gain ?? 1), uniform = await statistics(init.xavierUniform_(zeros(own), gain));
      assert(Math.max(-uniform.least, uniform.greatest) <= Math.sqrt(3) * expected * (1 + 1e-6));
      for (const found of [uniform, await statistics(init.xavierNormal_(zeros(own), gain))]) {
        assert(Math.abs(found.std / expected - 1) < 5 / Math.sqrt(2 * count), `${found.std} instead of ${expected}`);
      }
    }
  }
});

Deno.test("uniform_, normal_, kaiming and xavier are distributed as they should", async () => {
  manualSeed(2);
  const kaiming = Math.sqrt(2 / 400), xavier = Math.sqrt(2 / 650), root = Math.sqrt(3);
  await assertDistributed(init.uniform_(many()), 0.5, 1 / Math.sqrt(12), 0, 1);
  await assertDistributed(init.uniform_(many(), -3, 1), -1, 4 / Math.sqrt(12), -3, 1);
  await assertDistributed(init.normal_(many()), 0, 1);
  await assertDistributed(init.normal_(many(), 3, 0.1), 3, 0.1);
  await assertDistributed(init.kaimingUniform_(many()), 0, kaiming, -kaiming * root, kaiming * root);
  await assertDistributed(init.kaimingNormal_(many()), 0, kaiming);
  await assertDistributed(init.xavierUniform_(many()), 0, xavier, -xavier * root, xavier * root);
  await assertDistributed(init.xavierNormal_(many()), 0, xavier);
});

Deno.test("truncNormal_ is a normal distribution without its ends", async () => {
  manualSeed(3);
  const density = (x: number) => Math.exp(-x * x / 2) / Math.sqrt(2 * Math.PI);
  const share = (x: number) => (1 + erf(x / Math.SQRT2)) / 2;
  for (
    const options of [{}, { std: 0.02 }, { mean: 1, std: 2, a: -1, b: 2 }, { a: 0.5, b: 1 }, { mean: -3, a: 0, b: 1 }]
  ) {
    const { mean, std, a, b } = { mean: 0, std: 1, a: -2, b: 2, ...options };
    const [low, high] = [(a - mean) / std, (b - mean) / std], all = share(high) - share(low);
    const shift = (density(low) - density(high)) / all;
    const variance = 1 + (low * density(low) - high * density(high)) / all - shift ** 2;
    const tensor = init.truncNormal_(many(), options), { least, greatest } = await statistics(tensor);
    await assertDistributed(tensor, mean + std * shift, std * Math.sqrt(variance));
    assert(least >= Math.fround(a) && greatest <= Math.fround(b));
    const middle = (await tensor.data()).filter((one) => one < (a + b) / 2).length / 1e5;
    const expected = (share(((a + b) / 2 - mean) / std) - share(low)) / all;
    assert(Math.abs(middle - expected) < 5 * Math.sqrt(expected * (1 - expected) / 1e5), `${middle}, not ${expected}`);
  }
});

Deno.test("truncNormal_ stays within bounds where the distribution has nothing left, as PyTorch", async () => {
  assertEquals(Array.from(await init.truncNormal_(zeros([2]), { a: 9, b: 50 }).data()), [50, 50]);
});

Deno.test("erf and its inverse are PyTorch's", () => {
  for (const { x, y } of golden("erf")) assertClose(x.map(erf), y, { rtol: 1e-14, atol: 1e-16 });
  for (const { x, y } of golden("erfinv")) assertClose(x.map(erfinv), y, { rtol: 1e-6, atol: 1e-12 });
  assertEquals([erfinv(1), erfinv(-1), erf(40)], [Infinity, -Infinity, 1]);
});

Deno.test("constant_, ones_, zeros_, eye_ and dirac_ are exact", async () => {
  const of = async (tensor: Tensor) => Array.from(await tensor.data());
  assertEquals(await of(init.constant_(zeros([2, 3]), 0.25)), new Array(6).fill(0.25));
  assertEquals(await of(init.ones_(zeros([2]))), [1, 1]);
  assertEquals(await of(init.zeros_(ones([]))), [0]);
  for (const { output } of golden("eye")) assertEquals(await of(init.eye_(ones(output.shape))), output.data);
  for (const { output, groups } of golden("dirac")) {
    assertEquals(await of(init.dirac_(ones(output.shape), groups)), output.data);
  }
});

Deno.test("dirac_ makes the identity convolution, by groups too", async () => {
  const x = toTensor(uniform(4, [2, 4, 5, 6]));
  for (const groups of [1, 2]) {
    const weight = init.dirac_(zeros([4, 4 / groups, 3, 3]), groups);
    assertSameBits(await F.conv2d(x, weight, null, { padding: 1, groups }).data(), await x.data());
  }
});

Deno.test("orthogonal_ takes PyTorch's Q, of wide, tall and square matrices", () => {
  for (const { shape: [rows, columns], drawn, output } of golden("orthogonal")) {
    const found = orthogonalFactor(Float64Array.from(drawn), rows!, columns!);
    assertClose(found, output as unknown as number[], { rtol: 1e-12, atol: 1e-13 });
  }
});

Deno.test("orthogonal_ makes rows or columns orthogonal, of length gain", async () => {
  for (const own of [[20, 30], [30, 20], [12, 2, 3, 2], [8, 5, 3]]) {
    for (const gain of [undefined, 2.5]) {
      const q = await init.orthogonal_(zeros(own), gain).data(), rows = own[0]!, columns = q.length / rows;
      const [count, length] = [Math.min(rows, columns), Math.max(rows, columns)];
      const at = (i: number, j: number) => rows <= columns ? q[i * columns + j]! : q[j * columns + i]!;
      for (let i = 0; i < count; i++) {
        for (let k = 0; k <= i; k++) {
          let sum = 0;
          for (let j = 0; j < length; j++) sum += at(i, j) * at(k, j);
          assertClose([sum], [i === k ? (gain ?? 1) ** 2 : 0]);
        }
      }
    }
  }
});

Deno.test("sparse_ has exactly so many zeros in each column, at places of its own", async () => {
  manualSeed(5);
  const tensor = init.sparse_(zeros([50, 400]), 0.33, 2), data = await tensor.data();
  const columns = Array.from({ length: 400 }, (_, c) => Array.from({ length: 50 }, (_, r) => data[r * 400 + c]!));
  const places = columns.map((column) => column.map((one, r) => one === 0 ? r : -1).filter((r) => r >= 0));
  assert(places.every((rows) => rows.length === 17)); // 16.5, rounded up.
  assert(new Set(places.map(String)).size > 390);
  const rest = Array.from(data).filter((one) => one !== 0),
    variance = rest.reduce((sum, one) => sum + one * one, 0) / rest.length;
  assert(Math.abs(Math.sqrt(variance) - 2) < 0.08);
  assert((await init.sparse_(zeros([50, 4]), 0.5).data()).every((one) => Math.abs(one) < 0.06));
});

/** Each function on a tensor that it takes. */
const ALL: readonly ((w: Tensor) => Tensor)[] = [
  init.uniform_,
  init.normal_,
  init.truncNormal_,
  (w) => init.constant_(w, 2),
  init.ones_,
  init.zeros_,
  init.eye_,
  (w) => init.sparse_(w, 0.5),
  init.orthogonal_,
  init.xavierUniform_,
  init.xavierNormal_,
  init.kaimingUniform_,
  init.kaimingNormal_,
];

Deno.test("a leaf stays a leaf that requires gradients; the tensor itself is returned", async () => {
  for (const fill of ALL) {
    const w = ones([4, 3], { requiresGrad: true });
    assertStrictEquals(fill(w), w);
    assert(w.isLeaf && w.requiresGrad && w.gradFn === null);
    w.mul(2).sum().backward();
    assertEquals(Array.from(await w.grad!.data()), new Array(12).fill(2));
  }
  const conv = new nn.Conv2d(2, 2, 3);
  init.dirac_(conv.weight);
  assertEquals(conv.namedParameters().map(([name]) => name), ["weight", "bias"]);
  assertStrictEquals(conv.parameters()[0], conv.weight);
});

Deno.test("what was recorded before keeps the old elements, and a program sees the new ones", async () => {
  const w = ones([4, 3], { requiresGrad: true }), before = w.mul(2), step = compile(() => w.sum());
  await step.run();
  noGrad(() => init.constant_(w, 5));
  assertEquals(Array.from(await before.data()), new Array(12).fill(2));
  await step.run();
  assertEquals(await step.result.item(), 60);
});

Deno.test("the elements follow from manualSeed, and differ from tensor to tensor", async () => {
  const constant = [3, 4, 5, 6];
  for (const [i, fill] of ALL.entries()) {
    if (constant.includes(i)) continue;
    const draw = async (seed: number) => {
      manualSeed(seed);
      return [await fill(zeros([4, 3])).data(), await fill(zeros([4, 3])).data()] as const;
    };
    const [first, second] = await draw(7), [again] = await draw(7), [other] = await draw(8);
    assertSameBits(again, first);
    assertNotEquals(second, first);
    assertNotEquals(other, first);
  }
});

Deno.test("wrong arguments are refused, and change nothing", async () => {
  const vector = ones([3]), matrix = ones([4, 3]), cube = ones([2, 2, 2]);
  const refusals: [() => unknown, string][] = [
    [() => init.xavierUniform_(vector), "xavierUniform_: expected 2 or more dimensions, got shape [3]"],
    [() => init.xavierNormal_(ones([])), "xavierNormal_: expected 2 or more dimensions, got shape []"],
    [() => init.kaimingUniform_(vector), "kaimingUniform_: expected 2 or more dimensions"],
    [() => init.kaimingNormal_(vector), "kaimingNormal_: expected 2 or more dimensions"],
    [() => init.orthogonal_(vector), "orthogonal_: expected 2 or more dimensions"],
    [() => init.eye_(cube), "eye_: expected 2 dimensions, got shape [2, 2, 2]"],
    [() => init.sparse_(cube, 0.1), "sparse_: expected 2 dimensions"],
    [() => init.sparse_(matrix, 1.5), "sparse_: sparsity must be from 0 to 1, got 1.5"],
    [() => init.sparse_(matrix, 0.5, -1), "sparse_: std must be 0 or more, got -1"],
    [() => init.dirac_(matrix), "dirac_: expected 3 to 5 dimensions, got shape [4, 3]"],
    [() => init.dirac_(cube, 3), "dirac_: 2 output channels do not divide into 3 groups"],
    [() => init.dirac_(cube, 0), "dirac_: 2 output channels do not divide into 0 groups"],
    [() => init.uniform_(matrix, 1, 0), "uniform_: a must be at most b, got 1 and 0"],
    [() => init.uniform_(matrix, NaN), "uniform_: a must be a number, got NaN"],
    [() => init.normal_(matrix, 0, -1), "normal_: std must be 0 or more, got -1"],
    [() => init.constant_(matrix, undefined as unknown as number), "constant_: value must be a number, got undefined"],
    [() => init.truncNormal_(matrix, { a: 3 }), "truncNormal_: a must be at most b, got 3 and 2"],
    [() => init.truncNormal_(matrix, { std: 0 }), "truncNormal_: std must be more than 0, got 0"],
    [() => init.truncNormal_(matrix, 0.02 as never), "truncNormal_: expected options such as { mean: 0.02 }, got 0.02"],
    [() => init.kaimingNormal_(matrix, { fan: 1 } as never), 'kaimingNormal_: unknown option "fan"'],
    [
      () => init.kaimingNormal_(matrix, { mode: "fan" as "fan_in" }),
      'kaimingNormal_: mode must be "fan_in", "fan_out", got "fan"',
    ],
    [() => init.kaimingUniform_(matrix, { nonlinearity: "gelu" as "relu" }), "kaimingUniform_: nonlinearity must be"],
    [() => init.kaimingUniform_(matrix, { a: Infinity }), "kaimingUniform_: a must be a number, got Infinity"],
    [() => init.calculateGain("gelu" as "relu"), "calculateGain: the nonlinearity must be"],
    [() => init.calculateGain("leaky_relu", NaN), "calculateGain: param must be a number, got NaN"],
    [() => init.ones_(ones([2], { dtype: "u32" })), "constant_: expected a tensor of f32, got u32"],
    [() => init.normal_([1] as unknown as Tensor), "normal_: expected a Tensor, got an array"],
  ];
  for (const [fn, message] of refusals) assertThrows(fn, ShapeError, message);
  for (const tensor of [vector, matrix, cube]) assert((await tensor.data()).every((one) => one === 1));
});
