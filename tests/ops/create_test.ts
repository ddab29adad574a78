/**
 * Making tensors, reading them, and random numbers.
 */
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { ShapeError, WgradError } from "../../src/errors.ts";
import { arange, full, manualSeed, nn, noGrad, ones, rand, randint, randn, tensor, zeros } from "../../src/mod.ts";
import { assertClose, assertSameBits, assertShape } from "../support/close.ts";

Deno.test("tensor() takes numbers, nested numbers and typed arrays", async () => {
  const cases: [Parameters<typeof tensor>[0], number[], number[]][] = [
    [5, [], [5]],
    [[1, 2, 3], [3], [1, 2, 3]],
    [[[1, 2, 3], [4, 5, 6]], [2, 3], [1, 2, 3, 4, 5, 6]],
    [[[[1]], [[2]]], [2, 1, 1], [1, 2]],
    [new Float32Array([0.5, -1]), [2], [0.5, -1]],
    [[-0, NaN, Infinity, -Infinity], [4], [-0, NaN, Infinity, -Infinity]],
  ];
  for (const [data, shape, values] of cases) {
    const t = tensor(data);
    assertShape(t.shape, shape);
    assertEquals([t.dtype, t.numel, t.requiresGrad, t.isLeaf, t.grad, t.gradFn], [
      "f32",
      values.length,
      false,
      true,
      null,
      null,
    ]);
    assertSameBits(await t.data() as Float32Array, new Float32Array(values));
  }
});

Deno.test("tensor() keeps u32 whole, and copies what it is given", async () => {
  const data = new Uint32Array([0, 1, 4294967295]), t = tensor(data);
  assertEquals(t.dtype, "u32");
  data[0] = 9;
  const read = await t.data();
  assert(read instanceof Uint32Array);
  assertEquals([...read], [0, 1, 4294967295]);
  read[1] = 7;
  assertEquals([...await t.data()], [0, 1, 4294967295]);
  assertEquals(tensor([1, 2], { dtype: "u32" }).dtype, "u32");
});

Deno.test("tensor() takes a shape", async () => {
  const t = tensor(new Float32Array(6).fill(2), { shape: [2, 3] });
  assertShape(t.shape, [2, 3]);
  assertEquals((await t.data()).length, 6);
  assertShape(tensor([7], { shape: [] }).shape, []);
});

Deno.test("zeros(), ones(), full(), arange()", async () => {
  assertEquals([...await zeros([2, 2]).data()], [0, 0, 0, 0]);
  assertEquals([...await ones([3]).data()], [1, 1, 1]);
  assertEquals([...await full([2], 0.5).data()], [0.5, 0.5]);
  assertEquals([...await arange(4).data()], [0, 1, 2, 3]);
  assertEquals(zeros([2], { requiresGrad: true }).requiresGrad, true);
  assertEquals(zeros([2], { dtype: "u32" }).dtype, "u32");
  assertEquals(await full([], 3).item(), 3);
  assertClose(await full([2], NaN).add(0).data(), [NaN, NaN], { special: true });
  assertClose(await full([2], -Infinity).add(0).data(), [-Infinity, -Infinity], { special: true });
});

Deno.test("item() reads one element of any rank, and refuses more", async () => {
  assertEquals(await tensor([[[2.5]]]).item(), 2.5);
  await assertRejects(() => zeros([2]).item(), WgradError);
});

Deno.test("shapes and data that do not fit are refused at once", () => {
  for (const shape of [[-1], [1.5], [NaN], [2, -3], [Infinity]]) {
    for (const make of [zeros, ones, rand, randn, (s: number[]) => full(s, 1), (s: number[]) => randint(0, 5, s)]) {
      assertThrows(() => make(shape), ShapeError, undefined, `${make} of [${shape}]`);
    }
  }
  assertThrows(() => tensor([1, 2, 3], { shape: [2] }), ShapeError);
  assertThrows(() => tensor([[1, 2], [3]]), ShapeError);
  assertThrows(() => tensor([[1, 2], 3] as number[]), ShapeError);
  assertThrows(() => arange(-1), WgradError);
  assertThrows(() => arange(2.5), WgradError);
});

Deno.test("a shape is copied, and one with holes refused", () => {
  const shape = [2, 3], made = [zeros(shape), rand(shape), randn(shape), randint(0, 2, shape), full(shape, 1)];
  const given = tensor([1, 2, 3, 4, 5, 6], { shape });
  shape[0] = 5;
  for (const one of [...made, given]) assertEquals([...one.shape], [2, 3]);
  assertThrows(() => zeros(new Array(2)), ShapeError);
});

Deno.test("tensor() refuses arrays that hold no numbers, naming them", () => {
  const wrong: [unknown, string][] = [
    [new BigInt64Array(1), "a BigInt64Array"],
    [new BigUint64Array(0), "a BigUint64Array"],
    [new DataView(new ArrayBuffer(4)), "a DataView"],
    [new ArrayBuffer(4), "an ArrayBuffer"],
    [[1n], "1"],
    [[null], "null"],
    [tensor([1]), "a Tensor"],
    [undefined, "undefined"],
    [[[1], "x"], '"x"'],
  ];
  for (const [data, text] of wrong) {
    assertThrows(() => tensor(data as number[]), ShapeError, `tensor: expected numbers or lists of them, got ${text}`);
  }
});

Deno.test("tensor() takes every typed array of numbers", async () => {
  for (const type of [Int8Array, Uint8Array, Uint8ClampedArray, Int16Array, Uint16Array, Int32Array, Float64Array]) {
    const data = type.of(1, 2) as Uint8Array;
    assertEquals([...await tensor(data).data()], [1, 2]);
    assertEquals(await tensor(data, { dtype: "u32" }).data(), Uint32Array.of(1, 2));
  }
  assertThrows(() => tensor(Int32Array.of(1, -2), { dtype: "u32" }), ShapeError, "-2 is no u32");
  assertThrows(() => tensor(Float64Array.of(0, 2 ** 32), { dtype: "u32" }), ShapeError, "4294967296 is no u32");
});

Deno.test("tensor() copies a typed array as a whole, not by element", async () => {
  const alone = <A extends Float32Array | Uint32Array>(data: A): A => {
    data[Symbol.iterator] = () => {
      throw new Error("the elements are walked");
    };
    return data;
  };
  assertEquals([...await tensor(alone(Uint32Array.of(7, 8))).data()], [7, 8]);
  assertEquals([...await tensor(alone(Float32Array.of(0.5))).data()], [0.5]);
});

Deno.test("options that would be ignored are refused", () => {
  for (const make of [zeros, ones, rand, randn] as ((shape: number[], options: object) => unknown)[]) {
    assertThrows(() => make([2], { shape: [3] }), ShapeError, 'unknown option "shape"');
    assertThrows(() => make([2], { requiresGrad: "yes" }), ShapeError, "requiresGrad must be true or false");
  }
  for (const draw of [rand, randn]) {
    assertThrows(() => draw([2], { dtype: "u32" }), ShapeError, 'dtype "u32" is not f32; randint() makes random u32');
    assertEquals(draw([2], { dtype: "f32" }).dtype, "f32");
  }
});

Deno.test("noGrad() refuses an asynchronous function, also one that fails, and records again after it", async () => {
  const x = tensor([1], { requiresGrad: true });
  assertThrows(() => noGrad(async () => await x.mul(2).data()), ShapeError, "noGrad: the function is asynchronous");
  assertThrows(() => noGrad(() => Promise.reject(new Error("unseen"))), ShapeError, "asynchronous");
  assert(x.mul(2).requiresGrad);
  await new Promise((done) => setTimeout(done)); // A rejection that nobody sees to would end the test.
  assertEquals(noGrad(() => x.mul(2)).requiresGrad, false);
});

Deno.test("values that a dtype cannot hold are refused at once", () => {
  for (const value of [-1, 1.5, 4294967296, NaN]) {
    assertThrows(() => tensor([value], { dtype: "u32" }), WgradError, undefined, `${value} as u32`);
  }
  for (const value of [-1, 0.5, NaN]) {
    const two = zeros([2], { dtype: "u32" });
    for (const use of [() => full([2], value, { dtype: "u32" }), () => two.fill_(value), () => two.mul(value)]) {
      assertThrows(use, WgradError, undefined, `${value}: ${use}`);
    }
  }
  assertThrows(() => full([2], "1" as unknown as number), WgradError);
  assertThrows(() => tensor([1], { dtype: "f64" as "f32" }), WgradError);
  assertThrows(() => tensor([1], { dtype: "u32", requiresGrad: true }), WgradError);
  assertThrows(() => tensor(["a"] as unknown as number[]), WgradError);
  assertThrows(() => tensor([1], { requireGrad: true } as never), WgradError);
});

Deno.test("manualSeed() gives the same numbers again, bit for bit; other seeds give others", async () => {
  const draw = async (seed: number) => {
    manualSeed(seed);
    const parts = [rand([1000]), randn([1000]), randint(0, 1000, [1000]), rand([3, 5])];
    return await Promise.all(parts.map((t) => t.data()));
  };
  const [a, b, c] = [await draw(7), await draw(7), await draw(8)];
  a.forEach((values, i) => assertSameBits(values, b[i]!));
  a.forEach((values, i) => assert(values.some((v, k) => v !== c[i]![k])));
  manualSeed(7);
  const first = await rand([1000]).data(), second = await rand([1000]).data();
  assertSameBits(first, a[0]!);
  assert(first.filter((v, i) => v === second[i]).length < 5, "the second draw repeats the first");
});

/** Mean, deviation and share below `cut` of a sample. */
function statistics(x: ArrayLike<number>, cut: number) {
  const values = Array.from(x), mean = values.reduce((a, b) => a + b, 0) / values.length;
  const deviation = Math.sqrt(values.reduce((a, b) => a + (b - mean) ** 2, 0) / values.length);
  return [mean, deviation, values.filter((v) => v < cut).length / values.length];
}

Deno.test("rand() is uniform in [0, 1)", async () => {
  manualSeed(1);
  const x = Array.from(await rand([100_000]).data());
  assert(x.every((v) => v >= 0 && v < 1));
  assertClose(statistics(x, 0.25), [0.5, Math.sqrt(1 / 12), 0.25], { rtol: 0, atol: 0.006 });
  const neighbours = x.slice(1).reduce((sum, v, i) => sum + (v - 0.5) * (x[i]! - 0.5), 0) / x.length;
  assert(Math.abs(neighbours) < 0.0012, `neighbours correlate: ${neighbours}`);
  assert(new Set(x).size > 99_000, "too many equal numbers");
});

Deno.test("randn() is normal with mean 0 and deviation 1", async () => {
  manualSeed(2);
  const x = Array.from(await randn([100_000]).data());
  assertClose(statistics(x, -1), [0, 1, 0.158655], { rtol: 0, atol: 0.012 });
  const fourth = x.reduce((sum, v) => sum + v ** 4, 0) / x.length;
  assertClose([fourth], [3], { rtol: 0, atol: 0.15 });
  const top = x.reduce((a, v) => Math.max(a, Math.abs(v)), 0);
  assert(top > 3.8 && top < 6.5, `the largest of 100,000 is ${top}`);
});

Deno.test("randint() is uniform over low to high - 1, as u32", async () => {
  manualSeed(3);
  const t = randint(3, 10, [70_000]), counts = new Map<number, number>();
  assertEquals(t.dtype, "u32");
  for (const v of await t.data()) counts.set(v, (counts.get(v) ?? 0) + 1);
  assertEquals([...counts.keys()].sort((a, b) => a - b), [3, 4, 5, 6, 7, 8, 9]);
  for (const [value, count] of counts) assert(Math.abs(count - 10_000) < 500, `${value}: ${count} of 70,000`);
  assertThrows(() => randint(5, 5, [1]), WgradError);
  assertThrows(() => randint(-1, 5, [1]), WgradError);
  assertThrows(() => randint(0, 1.5, [1]), WgradError);
});

Deno.test("random tensors can require grad, and are leaves", async () => {
  const x = randn([2, 2], { requiresGrad: true });
  assert(x.requiresGrad && x.isLeaf);
  x.mul(3).sum().backward();
  assertEquals([...await x.grad!.data()], [3, 3, 3, 3]);
});

Deno.test("a random tensor keeps its values when read twice and used twice", async () => {
  const x = rand([10]), y = x.add(0);
  assertSameBits(await x.data() as Float32Array, await x.data() as Float32Array);
  assertSameBits(await y.data() as Float32Array, await x.data() as Float32Array);
});

Deno.test("tensors that do not fit in memory are typed errors, which name shape and bytes", () => {
  const huge: [() => unknown, string][] = [
    [() => zeros([2 ** 40]), "zeros: shape [1099511627776] needs 4398046511104 bytes, and the limit is 4294967296"],
    [() => full([2 ** 20, 2 ** 20], 1, { dtype: "u32" }), "full: shape [1048576, 1048576] needs 4398046511104 bytes"],
    [() => randn([2 ** 40]), "randn: shape [1099511627776] needs 4398046511104 bytes"],
    [() => rand([2 ** 40]), "rand: shape [1099511627776] needs"],
    [() => randint(0, 2, [2 ** 40]), "randint: shape [1099511627776] needs 8796093022208 bytes"],
    [() => arange(2 ** 40), "arange: shape [1099511627776] needs 4398046511104 bytes"],
    [() => ones(Array(40).fill(2 ** 52)), "needs Infinity bytes"],
    [() => new nn.Linear(1e9, 1e9), "rand: shape [1000000000, 1000000000] needs 4000000000000000000 bytes"],
  ];
  for (const [make, message] of huge) assertThrows(make, ShapeError, message);
});

Deno.test("tensor() refuses lists that contain themselves, or are nested too deep", () => {
  const cyclic: unknown[] = [];
  cyclic.push(cyclic, cyclic);
  let deep: unknown = 1;
  for (let i = 0; i < 100_000; i++) deep = [deep];
  for (const list of [cyclic, deep]) {
    assertThrows(() => tensor(list as number[]), ShapeError, "nested more than 64 deep, or one contains itself");
  }
  let allowed: unknown = 1;
  for (let i = 0; i < 64; i++) allowed = [allowed];
  assertShape(tensor(allowed as number[]).shape, Array(64).fill(1));
});

Deno.test("a gradient that is no tensor is refused", () => {
  const t = tensor([1, 2], { requiresGrad: true });
  for (const wrong of [3, "x", undefined, [1, 2], { shape: [2], dtype: "f32" }]) {
    assertThrows(() => t.grad = wrong as never, ShapeError, "grad: expected a tensor or null, got ");
  }
  t.grad = null;
});
