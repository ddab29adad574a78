/**
 * The families of kernels that update weights and gather batches, each with a few results that the CPU computes.
 *
 * @module
 */
import { permute, permuteHalfBits, permuteKey } from "../random.ts";
import { clipGradNorm_ } from "../nn/utils.ts";
import type { Value } from "../graph/node.ts";
import { countCorrect, gatherBatch, recordStep, selectForStep, shuffle } from "../ops/batch.ts";
import { EMA } from "../optim/ema.ts";
import { Lookahead } from "../optim/lookahead.ts";
import type { Optimizer } from "../optim/optimizer.ts";
import { OPTIMIZERS } from "../optim/registry.ts";
import { compile } from "../tensor/compile.ts";
import { tensor, zeros } from "../tensor/create.ts";
import { Tensor } from "../tensor/tensor.ts";
import type { Family } from "./self_test_family.ts";

const PARAMETERS = [1, -2, 4], GRADIENTS = [0.5, -0.25, 2], NORM = Math.hypot(...GRADIENTS);

/** Parameters with their gradients: a matrix, since Muon needs one. */
function parameters(): Tensor {
  const p = tensor(PARAMETERS, { shape: [1, 3], requiresGrad: true });
  p.grad = tensor(GRADIENTS, { shape: [1, 3] });
  return p;
}

/** The first step of each optimizer from p with the gradient g, by its formula with these options. */
const STEPS: Readonly<
  Record<keyof typeof OPTIMIZERS, readonly [object, (p: number, g: number) => number]>
> = {
  sgd: [{ lr: 0.5, weightDecay: 0.25 }, (p, g) => p - 0.5 * (g + 0.25 * p)],
  adam: [{ lr: 0.5, eps: 1 }, (p, g) => p - 0.5 * g / (Math.abs(g) + 1)],
  adamw: [{ lr: 0.5, eps: 1, weightDecay: 0.5 }, (p, g) => 0.75 * p - 0.5 * g / (Math.abs(g) + 1)],
  rmsprop: [{ lr: 0.5, alpha: 0.75, eps: 1 }, (p, g) => p - 0.5 * g / (0.5 * Math.abs(g) + 1)],
  adagrad: [{ lr: 0.5, eps: 1 }, (p, g) => p - 0.5 * g / (Math.abs(g) + 1)],
  adadelta: [{ lr: 0.5, rho: 0.75, eps: 1 }, (p, g) => p - 0.5 * g / Math.sqrt(0.25 * g * g + 1)],
  adamax: [{ lr: 0.5, betas: [0.5, 0.5], eps: 1 }, (p, g) => p - 0.5 * g / (Math.abs(g) + 1)],
  nadam: [{ lr: 0.5, betas: [0.5, 0.5], eps: 1, momentumDecay: 0 }, (p, g) => {
    // Without decay of the momentum, µ is a quarter in each step.
    return p - 0.5 * (g + 0.25 * 0.5 * g / (1 - 0.25 ** 2)) / (Math.abs(g) + 1);
  }],
  radam: [{ lr: 0.5 }, (p, g) => p - 0.5 * g],
  lion: [{ lr: 0.5 }, (p, g) => p - 0.5 * Math.sign(g)],
  // A polynomial that leaves the only singular value, 1, as it is.
  muon: [{ lr: 0.5, weightDecay: 0.25, nsSteps: 1, nsCoefficients: [0.5, 0.25, 0.25] }, (p, g) => {
    return p - 0.5 * (g / NORM + 0.25 * p);
  }],
};

/** The images of a batch, as bytes, in two halves: two images of four pixels, and one. */
const PIXELS = [[0, 51, 102, 153, 204, 255, 0, 51], [102, 102, 255, 0]];
const words = (bytes: readonly number[]) => tensor(new Uint32Array(Uint8Array.from(bytes).buffer));

/** Runs a step that overwrites these tensors with its results, as programs do. */
async function inPlace(tensors: readonly Tensor[], step: () => readonly Value[]): Promise<void> {
  const program = compile(() => step().forEach((value, i) => tensors[i]!.assign(value, "self test")));
  await program.run();
  await program.dispose();
}

/** Each family by name. */
export const UPDATES: readonly Family[] = [
  ...Object.entries(STEPS).map(([name, [options, formula]]): Family => ({
    name: `optimizer ${name}`,
    make() {
      const p = parameters();
      OPTIMIZERS[name as keyof typeof STEPS].make([p], options as Record<string, number>).step();
      return [[p, PARAMETERS.map((one, i) => formula(one, GRADIENTS[i]!))]];
    },
  })),
  {
    name: "averages of weights",
    make() {
      const p = parameters(), ema = new EMA([p], { decay: 0.5 }), q = parameters();
      const sgd = (of: Tensor): Optimizer => OPTIMIZERS.sgd.make([of], { lr: 1, momentum: 0 });
      const lookahead = new Lookahead(sgd(q), { k: 1, alpha: 0.5 });
      sgd(p).step();
      ema.update();
      ema.swap();
      lookahead.step();
      const half = PARAMETERS.map((one, i) => one - GRADIENTS[i]! / 2);
      return [[p, half], [q, half]];
    },
  },
  {
    name: "clipping of gradients",
    make() {
      const p = parameters(), found = clipGradNorm_([p], 0.5);
      return [[found, [NORM]], [p.grad!, GRADIENTS.map((one) => one * 0.5 / NORM)]];
    },
  },
  {
    name: "order of an epoch",
    async make() {
      const count = 100, key = permuteKey(7, 3), keys = tensor(Uint32Array.of(key));
      const order = tensor(new Uint32Array(count)), counters = tensor(Uint32Array.of(5, 9));
      await inPlace([order, counters], () => {
        return shuffle(order.value, counters.value, keys.value, permuteHalfBits(count));
      });
      return [[order, Uint32Array.from({ length: count }, (_, i) => permute(i, count, key))], [counters, [0, 9]]];
    },
  },
  {
    name: "batches",
    make() {
      const [first, second] = PIXELS.map(words), order = tensor(Uint32Array.of(1, 2, 0));
      const counters = tensor(Uint32Array.of(1, 1)), half = [0.5, 0.5, 0.5];
      // The batch of the second step: the third image of the order, and the first of them.
      const attrs = { count: 1, stride: 2, offset: 0, image: [1, 2, 2], grey: false, mean: half, deviation: half };
      const [x, labels] = gatherBatch(
        [first!.value, second!.value],
        words([3, 1, 2, 0]).value,
        order.value,
        counters.value,
        attrs,
      );
      return [[new Tensor(x!), [-1, -0.6, -0.2, 0.2]], [new Tensor(labels!), [3]]];
    },
  },
  {
    name: "losses and rates of steps",
    async make() {
      const ring = zeros([3, 2]), counters = tensor(Uint32Array.of(1, 5)), loss = tensor([8]);
      const rate = new Tensor(selectForStep(tensor([1, 2, 3]).value, counters.value));
      // The second row is wrong, and of the equal elements of the third the first counts.
      const logits = tensor([[0, 2, 1], [3, 0, 1], [0, 4, 4]]), labels = tensor(Uint32Array.of(1, 2, 1));
      const correct = countCorrect(logits.value, labels.value);
      await inPlace([ring, counters], () => recordStep(ring.value, counters.value, loss.value, correct));
      return [[ring, [0, 0, 0, 0, 8, 2]], [counters, [2, 6]], [rate, [3]]];
    },
  },
];
