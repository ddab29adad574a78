/**
 * The variants that ops offer, of both families: each computes what its float64 reference says, whichever is chosen.
 */
import { GPU, SOFTWARE_GPU } from "../../src/backend/profile.ts";
import { assert, assertEquals } from "@std/assert";
import { currentBackend } from "../../src/backend/request.ts";
import { record, Value } from "../../src/graph/node.ts";
import { deviceOf, type Offer, variantsOf } from "../../src/graph/device.ts";
import { Variants } from "../../src/backend/variants.ts";
import { compile, F, type Tensor, tensor } from "../../src/mod.ts";
import { convGradInputOp, convOp } from "../../src/ops/conv/conv.ts";
import { convGradWeightOp } from "../../src/ops/conv/grad_weight.ts";
import { product } from "../../src/ops/matmul/matmul.ts";
import { type SharedTile, sharedTiles } from "../../src/ops/matmul/shared.ts";
import { map, type Nd, transpose } from "../support/array.ts";
import { assertRelative } from "../support/close.ts";
import { checkOp, gradcheck, toTensor, values } from "../support/gradcheck.ts";
import { withMerging } from "../support/merging.ts";
import { uniform } from "../support/random.ts";
import { linear, matmul, matmulGrads, unary } from "../support/reference.ts";
import { conv2d } from "../support/reference_conv.ts";
import type { Options } from "../support/reference_ops.ts";

/** So many of the variants of one family are run, spread over all: tests of the ops run more of them. */
const MOST = 3;

/**
 * Runs `check` once, and then with each variant that it was offered; gives the offers. `ops` must have shared ones.
 *
 * @param large with the largest tiles as well, which take long to compile.
 */
async function everyVariant(ops: readonly string[], check: () => Promise<void>, large = true): Promise<Offer[]> {
  await tensor([1]).add(1).data();
  const variants = variantsOf(currentBackend()!), { family, listener } = variants, offers: Offer[] = [];
  try {
    variants.listener = (offer) => offers.push(offer);
    await check();
    variants.listener = null;
    const names = [...new Set(offers.flatMap((offer) => offer.names))];
    const shared = names.filter((name) => name.startsWith("shared ")),
      others = names.filter((n) => !shared.includes(n));
    for (const op of ops) {
      const own = offers.filter(({ node }) => node.op.name === op);
      assert(own.length > 0, `${op} was not offered`);
      for (const { names } of own) assert(names.some((name) => name.startsWith("shared ")), `${op}: ${names}`);
    }
    const few = others.filter((_, i) => i % Math.ceil(others.length / MOST) === 0);
    for (const name of [...shared.filter((name) => large || !name.includes(" 128x128x")), ...few]) {
      variants.family = name;
      await check().catch((error) => {
        throw new Error(`${name}: ${error.message}`, { cause: error });
      });
    }
  } finally {
    variants.family = family;
    variants.listener = listener;
  }
  return offers;
}

const relu = (x: Nd) => map(x, unary.relu);

/** [M, K, N], less than a tile, and tiles and slices with remainders. */
const sizes = [[5, 3, 7], [67, 37, 70], [64, 32, 36], [133, 18, 130]] as const;
const forms = { NN: [false, false], NT: [false, true], TN: [true, false], TT: [true, true] } as const;

for (const [m, k, n] of sizes) {
  for (const [form, [ta, tb]] of Object.entries(forms)) {
    // The gradients of the two others are products of the other forms.
    if (ta !== tb && m !== 67) continue;
    const turn = (x: Nd, t: boolean) => t ? transpose(x) : x, turned = (x: Tensor, t: boolean) => t ? x.t() : x;
    Deno.test(`variants of matmul: ${form} ${m}x${k}x${n}`, async () => {
      await everyVariant(["matmul"], () =>
        gradcheck({
          inputs: [uniform(1, ta ? [k, m] : [m, k]), uniform(2, tb ? [n, k] : [k, n])],
          op: (a, b) => turned(a, ta).matmul(turned(b, tb)),
          reference: (a, b) => matmul(turn(a, ta), turn(b, tb)),
          gradients: (dy, a, b) => {
            const [da, db] = matmulGrads(dy, turn(a, ta), turn(b, tb));
            return [turn(da!, ta), turn(db!, tb)];
          },
          smooth: false,
        }), m > 128);
    });
  }
}

for (const [a, b] of [[[3, 35, 17], [3, 17, 9]], [[2, 3, 5, 7], [7, 36]], [[7, 5], [3, 5, 6]]]) {
  Deno.test(`variants of matmul: batches [${a}] and [${b}]`, async () => {
    await everyVariant(["matmul"], () => checkOp("matmul", [uniform(3, a!), uniform(4, b!)]), false);
  });
}

const layers = () =>
  gradcheck({
    inputs: [uniform(11, [35, 6]), uniform(12, [37, 6]), uniform(13, [37]), uniform(14, [3, 37]), uniform(15, [3])],
    op: (x, w, b, v, c) => F.relu(F.linear(F.relu(F.linear(x, w, b)), v, c)),
    reference: (x, w, b, v, c) => relu(linear(relu(linear(x, w, b)), v, c)),
  });

Deno.test("variants of linear: bias, relu, mask and sums", async () => {
  const offers = await everyVariant(["matmul", "linear"], layers);
  for (const name of ["bias", "relu", "mask", "sums"]) {
    assert(offers.some(({ node }) => (node.attrs as Record<string, unknown>)[name] === true), name);
  }
});

Deno.test("variants of linear: more rows, columns and sums than the largest tile", async () => {
  const inputs = [uniform(16, [130, 6]), uniform(17, [133, 6]), uniform(18, [133])];
  await everyVariant(["matmul", "linear"], () => checkOp("linear", inputs, {}, { smooth: false }));
});

Deno.test("variants of linear, where programs merge their dispatches", async () => {
  await everyVariant(["matmul", "linear"], () => withMerging(true, layers), false);
});

/** [what, x, w, options]; every second case has no bias. */
const convolutions: [string, number[], number[], Options?][] = [
  ["1x1 kernel", [3, 6, 4, 5], [17, 6, 1, 1]],
  ["more channels than a tile has rows", [2, 36, 5, 4], [35, 36, 3, 3], { padding: 1 }],
  ["stride 2, padding 2", [3, 2, 9, 8], [7, 2, 5, 5], { stride: 2, padding: 2 }],
  ["more channels and positions than the largest tile", [3, 4, 8, 6], [130, 4, 1, 1]],
  ["more channels and weights than the largest tile", [2, 15, 5, 5], [130, 15, 3, 3], { padding: 1 }],
  ["more input channels and positions than the largest tile", [1, 132, 12, 11], [5, 132, 1, 1]],
  ["every option", [2, 6, 9, 11], [9, 2, 3, 2], { groups: 3, stride: [2, 1], padding: [1, 2], dilation: [1, 2] }],
  ["positions for several chunks", [5, 3, 12, 9], [6, 3, 3, 3]],
  ["stride that leaves the last rows out", [1, 2, 8, 8], [3, 2, 3, 3], { stride: 3 }],
];

convolutions.forEach(([what, x, w, options], i) => {
  const bias = i % 2 === 0 ? [uniform(30 + i, [w[0]!])] : [];
  Deno.test(`variants of conv2d: ${what}`, async () => {
    await everyVariant(
      ["conv2d", "conv2dGradInput", "conv2dGradWeight"],
      () => checkOp("conv2d", [uniform(10 + i, x), uniform(20 + i, w, 0.5), ...bias], options, { smooth: false }),
      /largest tile|every option/.test(what),
    );
  });
});

Deno.test("variants of conv2d: relu and mask", async () => {
  const offers = await everyVariant(["conv2d", "conv2dGradInput", "conv2dGradWeight"], () =>
    gradcheck({
      inputs: [uniform(1, [2, 3, 6, 7]), uniform(2, [5, 3, 3, 3], 0.5), uniform(3, [5]), uniform(4, [2, 5, 3, 3], 0.5)],
      op: (x, w, b, v) => F.conv2d(F.relu(F.conv2d(x, w, b)), v),
      reference: (x, w, b, v) => conv2d(relu(conv2d(x, w, b)), v),
    }));
  for (const name of ["relu", "mask"]) {
    assert(offers.some(({ node }) => (node.attrs as Record<string, unknown>)[name] === true), name);
  }
});

/** The bytes of both operands' slices, of vectors, with a gap after each row. */
const bytesOf = ({ side, depth }: SharedTile) => 2 * depth * (side / 4 + 1) * 16;

Deno.test("a kernel merges only while every device has the memory that its workgroups share", async () => {
  const x = [uniform(5, [133, 18]), uniform(6, [18, 130])], [a, b] = x.map((one) => toTensor(one)) as [Tensor, Tensor];
  await a.add(1).data();
  const variants = variantsOf(currentBackend()!), { family } = variants;
  try {
    for (const tile of sharedTiles(1, 133, 130, 18, deviceOf(currentBackend()!))) {
      variants.family = tile.name;
      const program = compile(() => [a.matmul(b), b.mul(2)]);
      await withMerging(true, () => program.run());
      const [found, doubled] = await values(program.result);
      assertRelative(found!, matmul(x[0]!, x[1]!).data, 1e-5, tile.name);
      assertEquals(doubled, Float32Array.from(x[1]!.data, (one) => 2 * Math.fround(one)));
      assertEquals(await program.dispatches(), bytesOf(tile) > 16384 ? 2 : 1, tile.name);
    }
  } finally {
    variants.family = family;
  }
});

/** The variant with the lowest estimate for the node behind `value`, on a GPU and on a software driver. */
function estimated(value: Value): string[] {
  return [GPU, SOFTWARE_GPU].map((profile) => {
    const variants = new Variants(), node = value.node!, first: string[] = [];
    const place = () => ({ block: null as never, offset: 0, size: 0 });
    variants.listener = ({ names }) => first.push(names[0]!);
    const target = { profile, alignment: 256, workgroup: { invocations: 256, bytes: 16384 }, variants, place };
    if (!node.op.expand?.(node, target)) node.op.dispatches!(node, target);
    return first[0]!;
  });
}

/** The families of the same. */
const families = (value: Value) => estimated(value).map((name) => name.split(" ")[0]!);

const f32 = (...shape: number[]) => new Value(shape, "f32");

Deno.test("the estimate selects shared tiles for large problems on a GPU, and never on a software driver", () => {
  for (const [m, n, k] of [[512, 64, 64], [1024, 1024, 1024], [129, 300, 65], [256, 131, 400]] as const) {
    assertEquals(families(product(f32(m, k), f32(k, n), false, false)), ["shared", "registers"], `${m} ${n} ${k}`);
  }
  for (const [m, n, k] of [[4, 10, 84], [4, 120, 400], [64, 64, 64], [512, 512, 16]] as const) {
    assertEquals(families(product(f32(m, k), f32(k, n), false, false)), ["registers", "registers"], `${m} ${n} ${k}`);
  }
  const options = { stride: [1, 1], padding: [1, 1], dilation: [1, 1], groups: 1, relu: false } as const;
  for (const [n, size, c, family] of [[64, 16, 64, "shared"], [2, 8, 6, "registers"]] as const) {
    const x = f32(n, c, size, size), w = f32(c, c, 3, 3), weight = { ...options, kernel: [3, 3], bias: true } as const;
    const all = [
      record(convOp, [x, w], options),
      record(convGradInputOp, [x, w], { ...options, size: [size, size], mask: false }),
      record(convGradWeightOp, [x, x], weight),
    ];
    for (const [value] of all) assertEquals(families(value!), [family, "registers"], `${value!.node!.op.name} ${n}`);
  }
});

Deno.test("on a GPU the estimate selects large tiles for large products, small ones for smaller", () => {
  const cases = [[1024, 1024, 1024, [128, 64]], [4096, 4096, 64, [128]], [256, 256, 64, [32]]] as const;
  for (const [m, n, k, sides] of cases) {
    const [name] = estimated(product(f32(m, k), f32(k, n), false, false));
    assert(sides.some((side) => name!.startsWith(`shared ${side}x${side}x`)), `${m} ${n} ${k}: ${name}`);
  }
});

Deno.test("shared tiles fit what a workgroup may have, and there are larger ones where it may have more", () => {
  const counts = [[64, 8192], [256, 16384], [1024, 32768]].map(([invocations, bytes]) => {
    const workgroup = { invocations: invocations!, bytes: bytes! };
    const tiles = sharedTiles(1, 300, 300, 64, { profile: GPU, alignment: 256, workgroup, variants: new Variants() });
    for (const tile of tiles) {
      assert(tile.shared <= invocations! && bytesOf(tile) <= bytes!, tile.name);
      assertEquals(tile.shared, (tile.side / tile.each) ** 2);
    }
    assertEquals(new Set(tiles.map(({ name }) => name)).size, tiles.length);
    return tiles.length;
  });
  assertEquals(counts, [1, 3, 4]);
});
