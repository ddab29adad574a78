/**
 * nn.utils: clipping of gradients by norm and by value, against PyTorch and float64, eagerly and in programs.
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { ShapeError } from "../../src/errors.ts";
import { GPU, SOFTWARE_GPU } from "../../src/backend/profile.ts";
import { compile, F, nn, optim, type Tensor, tensor, zeros } from "../../src/mod.ts";
import { assertClose, assertRelative } from "../support/close.ts";
import { readLines } from "../support/golden.ts";
import { toTensor, values } from "../support/gradcheck.ts";
import { setWeights, SmallNet } from "../support/nets.ts";
import { withProfile } from "../support/profile.ts";
import { bits, uniform } from "../support/random.ts";

const { clipGradNorm_, clipGradValue_ } = nn.utils;

interface Golden {
  name: string;
  options: { maxNorm: number; normType?: "Infinity"; value?: number };
  norm: number;
  after: number[];
}

for (const { name, options, norm, after } of readLines<Golden>("optim.jsonl")) {
  if (name !== "clip") continue;
  Deno.test(`gradients are clipped as in PyTorch: ${JSON.stringify(options)}`, async () => {
    const net = setWeights(new SmallNet(), 400);
    F.crossEntropy(net.forward(toTensor(uniform(500, [5, 2, 6, 6]))), tensor(bits(600, 5).map((b) => b % 4)))
      .backward();
    if (options.value === undefined) {
      const normType = options.normType ? Infinity : 2;
      const total = clipGradNorm_(net.parameters(), options.maxNorm, { normType });
      assertEquals(total.shape, []);
      assertClose([await total.item()], [norm]);
    } else clipGradValue_(net.parameters(), options.value);
    const grads = (await values(net.parameters().map(({ grad }) => grad!))).flatMap((one) => [...one]);
    assertRelative(grads.filter((_, i) => i % 3 === 0), after);
  });
}

// The sizes leave gaps between the tensors, which hold anything, and exceed what one dispatch takes on software
// drivers.
const SHAPES = [[70], [150, 131], [3], [129, 130], [1]];

/** Parameters that have as gradients what `factors` hold. */
function parameters() {
  const params = SHAPES.map((shape) => zeros(shape, { requiresGrad: true }));
  const factors = SHAPES.map((shape, i) => toTensor(uniform(30 + i, shape)));
  const backward = () => {
    for (const one of params) one.grad = null;
    params.map((one, i) => one.mul(factors[i]!).sum()).reduce((a, b) => a.add(b)).backward();
  };
  return { params, factors, backward };
}

const all = SHAPES.map((shape, i) => [...uniform(30 + i, shape).data]), flat = all.flat();
const NORMS = [
  [2, Math.sqrt(flat.reduce((sum, v) => sum + v * v, 0))],
  [Infinity, flat.reduce((most, v) => Math.max(most, Math.abs(v)), 0)],
] as [2, number][];

for (const [normType, expected] of NORMS) {
  for (const how of ["eagerly", "of computed gradients", "in a program"]) {
    Deno.test(`the norm of type ${normType} is that of all gradients together, ${how}`, async () => {
      const { params, backward } = parameters(), most = expected / 2;
      const clip = (): Tensor[] => {
        const norm = clipGradNorm_(params, most, { normType });
        return [norm, ...params.map(({ grad }) => grad!.mul(1))];
      };
      let results: Tensor[];
      if (how === "in a program") {
        const program = compile(() => {
          backward();
          return clip();
        });
        await program.run();
        results = program.result;
      } else {
        backward();
        if (how === "of computed gradients") await values(params.map(({ grad }) => grad!));
        results = clip();
      }
      const [norm, ...clipped] = await values(results);
      assertRelative(norm!, [expected], 1e-6);
      const factor = most / (expected + 1e-6);
      clipped.forEach((one, i) => assertRelative(one, all[i]!.map((v) => v * factor), 1e-6));
    });
  }
}

/** The copies between buffers that `fn` encodes. */
async function copiesIn(fn: () => Promise<void>): Promise<number> {
  const { prototype } = GPUCommandEncoder, copy = prototype.copyBufferToBuffer;
  let count = 0;
  prototype.copyBufferToBuffer = function (...args) {
    count++;
    return copy.apply(this, args);
  };
  try {
    await fn();
  } finally {
    prototype.copyBufferToBuffer = copy;
  }
  return count;
}

// For a software driver, the kernel of an average reads the old values from a copy: one for each parameter here.
for (const [device, profile, copies] of [["a GPU", GPU, 0], ["a software driver", SOFTWARE_GPU, 3]] as const) {
  Deno.test(`clipped gradients are where the optimizer needs them, and parameters where averages do: ${device}`, () =>
    withProfile(profile, async () => {
      const { params, backward } = parameters(), optimizer = new optim.SGD(params, { lr: 1 });
      const ema = new optim.EMA(params, { decay: 0.5 }), [, norm] = NORMS[0]!;
      const step = (more: boolean) =>
        compile(() => {
          backward();
          if (more) clipGradNorm_(params, 1);
          optimizer.step();
          if (more) ema.update();
        });
      const whole = step(true), plain = step(false);
      await whole.run(2);
      (await values(params)).forEach((one, i) => assertRelative(one, all[i]!.map((v) => -2 * v / norm), 1e-5));
      const averages = await values(ema.averages);
      averages.forEach((one, i) => assertRelative(one, all[i]!.map((v) => -1.25 * v / norm), 1e-5));
      assertEquals(await copiesIn(() => whole.run()) - await copiesIn(() => plain.run()), copies);
    }));
}

Deno.test("NaN and infinities are kept, and in the norm too", async () => {
  const clip = async (gradient: number[], how: (p: Tensor) => Tensor | void) => {
    const p = zeros([gradient.length], { requiresGrad: true });
    p.mul(tensor(gradient)).sum().backward();
    const norm = how(p);
    return [...await p.grad!.data(), ...(norm ? [await norm.item()] : [])];
  };
  assertEquals(await clip([NaN, -3, 3], (p) => clipGradValue_(p, 2)), [NaN, -2, 2]);
  assertEquals(await clip([Infinity, -Infinity, 1], (p) => clipGradValue_([p], 2)), [2, -2, 1]);
  for (const normType of [2, Infinity] as const) {
    assertEquals(await clip([NaN, 1], (p) => clipGradNorm_(p, 2, { normType })), [NaN, NaN, NaN]);
    assertEquals(await clip([-Infinity, 1], (p) => clipGradNorm_(p, 2, { normType })), [NaN, 0, Infinity]);
  }
  assertEquals(await clip([0, 0], (p) => clipGradNorm_(p, 2)), [0, 0, 0]);
});

Deno.test("parameters without gradients do not count; without any, the norm is 0", async () => {
  const a = zeros([1], { requiresGrad: true }), b = zeros([1], { requiresGrad: true });
  clipGradValue_([a, b], 1);
  assertEquals(await clipGradNorm_([a, b], 1).item(), 0);
  a.mul(4).sum().backward();
  assertEquals(await clipGradNorm_([b, a, a], 8).item(), 4);
  assert(b.grad === null);
});

Deno.test("arguments of clipping that make no sense are refused", () => {
  const p = zeros([1], { requiresGrad: true });
  const refused = (fn: () => unknown, message: string) => assertThrows(fn, ShapeError, message);
  refused(() => clipGradNorm_([p, 1] as never, 1), "clipGradNorm_: expected a Tensor or an array of them, got 1");
  refused(() => clipGradNorm_(undefined as never, 1), "got undefined");
  for (const wrong of [-1, NaN, Infinity, "1"] as number[]) {
    refused(() => clipGradNorm_([p], wrong), "clipGradNorm_: maxNorm must be a number of 0 or more");
    refused(() => clipGradValue_([p], wrong), "clipGradValue_: clipValue must be a number of 0 or more");
  }
  refused(() => clipGradNorm_(p, 1, { normType: 3 as 2 }), "clipGradNorm_: normType must be 2 or Infinity, got 3");
  refused(() => clipGradNorm_(p, 1, { norm: 2 } as never), 'clipGradNorm_: unknown option "norm"');
  refused(
    () => clipGradNorm_(p, 1, Infinity as never),
    "clipGradNorm_: expected options such as { normType: Infinity }",
  );
});
