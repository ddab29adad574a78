/**
 * Counts of steps: the scalars that follow from them against float64, and each parameter has its own. Tensors that are
 * dealt out to several dispatches, what a step costs, and what optimizers refuse.
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { UsageError } from "../../src/errors.ts";
import { constant } from "../../src/graph/node.ts";
import { compile, F, nn, optim, Tensor, tensor, zeros } from "../../src/mod.ts";
import { countStep } from "../../src/ops/optimizer.ts";
import { ADAGRAD } from "../../src/optim/adagrad.ts";
import { ADAM } from "../../src/optim/adam.ts";
import { NADAM } from "../../src/optim/nadam.ts";
import type { Rule } from "../../src/optim/optimizer.ts";
import { RADAM } from "../../src/optim/radam.ts";
import { OPTIMIZERS } from "../../src/optim/registry.ts";
import { readAll } from "../../src/tensor/realize.ts";
import { assertClose, assertRelative } from "../support/close.ts";
import { toTensor, values } from "../support/gradcheck.ts";
import { bits, uniform } from "../support/random.ts";

// --- scalars ---------------------------------------------------------------------------------------------------------

const STEPS = [1, 2, 3, 5, 6, 7, 10, 31, 100, 316, 1000, 1001, 3162, 1e4, 1e5, 1e6, 1e7];

/** The scalars of steps `STEPS`, at a rate of 0.25, and the products, if there are any. */
async function scalars<O>({ defaults, update }: Rule<O>, options: O, products: number[] = []): Promise<number[][]> {
  const { counting } = update({ ...defaults, ...options }), count = STEPS.length;
  const made = countStep(
    counting!,
    STEPS.map((_, i) => i),
    constant(Float32Array.of(0.25), [1]),
    constant(Uint32Array.from(STEPS, (t) => t - 1), [count]),
    products.length > 0 ? constant(Float32Array.from(products), [count]) : null,
  );
  const data = await readAll(made.map((one) => new Tensor(one)));
  assertEquals([...data[0]!], STEPS);
  const rows = data.at(-1)!;
  return STEPS.map((_, i) => [...rows.subarray(4 * i, 4 * i + 4)]);
}

function assertRows(rows: readonly number[][], expected: (t: number) => readonly number[]): void {
  STEPS.forEach((t, i) => {
    const row = expected(t);
    assertClose(rows[i]!.slice(0, row.length), row, { rtol: 1e-6, atol: 1e-30, what: `step ${t}` });
  });
}

const MORE: [number, number][] = [[0.9, 0.999], [0.95, 0.9999], [0, 0.5], [0.999999, 0.9]];

for (const betas of MORE) {
  Deno.test(`bias corrections are exact to 1e-6 from the first step on: betas ${betas}`, async () => {
    const lost = (beta: number, t: number) => beta === 0 ? 1 : -Math.expm1(t * Math.log(beta));
    assertRows(await scalars(ADAM, { betas }), (t) => [0.25, 0.25 / lost(betas[0], t), lost(betas[1], t) ** -0.5]);
    assertRows(await scalars(RADAM, { betas }), (t) => {
      const most = 2 / (1 - betas[1]) - 1, gone = lost(betas[1], t), first = 0.25 / lost(betas[0], t);
      const rho = most - 2 * t * (1 - gone) / gone;
      if (rho <= 5) return [0.25, first, 0];
      return [0.25, first * Math.sqrt((rho - 4) * (rho - 2) * most / ((most - 4) * (most - 2) * rho) * gone), 1];
    });
    // So slow an average would need more digits of 1 − μ than f32 has.
    for (const momentumDecay of betas[0] > 0.99 ? [] : [4e-3, 0.5, 0]) {
      const mu = (t: number) => betas[0] * (1 - 0.5 * 0.96 ** (t * momentumDecay));
      assertRows(await scalars(NADAM, { betas, momentumDecay }, STEPS.map(() => 0.375)), (t) => {
        const product = 0.375 * mu(t);
        const after = 0.25 * mu(t + 1) / (1 - product * mu(t + 1));
        return [0.25, 0.25 * (1 - mu(t)) / (1 - product), after, lost(betas[1], t) ** -0.5];
      });
    }
  });
}

Deno.test("the rate of Adagrad falls exactly", async () => {
  assertRows(await scalars(ADAGRAD, { lrDecay: 0.003 }), (t) => [0.25, 0.25 / (1 + (t - 1) * 0.003)]);
});

// --- parameters of their own -----------------------------------------------------------------------------------------

/** One step of Adam on `p`, in float64. */
function adam(p: number[], g: ArrayLike<number>, state: { t: number; m: number[]; v: number[] }, lr: number): void {
  state.t++;
  p.forEach((_, i) => {
    const m = state.m[i] = 0.9 * (state.m[i] ?? 0) + 0.1 * g[i]!;
    const v = state.v[i] = 0.999 * (state.v[i] ?? 0) + 0.001 * g[i]! ** 2;
    p[i]! -= lr * m / (1 - 0.9 ** state.t) / (Math.sqrt(v / (1 - 0.999 ** state.t)) + 1e-8);
  });
}

// More than a uniform buffer holds, with ends at odd places, so that software drivers deal them out.
const SHAPES = [[70], [150, 131], [3], [129, 130], [64], [5]];

/** Takes steps, in each of which some of the tensors of `SHAPES` have a gradient, and compares all with float64. */
async function compareAdam(steps: readonly (readonly number[])[], compiled: boolean): Promise<void> {
  const params = SHAPES.map((shape, i) => toTensor(uniform(10 + i, shape), { requiresGrad: true }));
  const grads = SHAPES.map((shape, i) => uniform(20 + i, shape)), factors = grads.map((one) => toTensor(one));
  const optimizer = new optim.Adam(params, { lr: 0.01 });
  const expected = SHAPES.map((shape, i) => [...uniform(10 + i, shape).data.map(Math.fround)]);
  const states = SHAPES.map(() => ({ t: 0, m: [], v: [] }));
  const record = (active: readonly number[]) => {
    optimizer.zeroGrad();
    active.map((i) => params[i]!.mul(factors[i]!).sum()).reduce((a, b) => a.add(b)).backward();
    optimizer.step();
  };
  const programs = new Map(compiled ? steps.map((active) => [String(active), compile(() => record(active))]) : []);
  for (const active of steps) {
    if (compiled) await programs.get(String(active))!.run();
    else record(active);
    for (const i of active) adam(expected[i]!, grads[i]!.data, states[i]!, 0.01);
  }
  (await values(params)).forEach((one, i) => assertRelative(one, expected[i]!, 1e-6, `parameter ${i}`));
  const step = await optimizer.stateDict().get("0.step")!.data();
  assertEquals([...step], SHAPES.map((_, i) => steps.filter((active) => active.includes(i)).length));
}

for (const compiled of [false, true]) {
  const how = compiled ? "in programs" : "eagerly";
  const all = [0, 1, 2, 3, 4, 5], some = [1, 3, 4];
  Deno.test(`tensors larger than a uniform buffer are updated whole, ${how}`, async () => {
    await compareAdam([all, all, all], compiled);
  });
  Deno.test(`each parameter counts its own steps, whichever have gradients, ${how}`, async () => {
    await compareAdam([some, all, some, [5], all, [0, 3, 5], some], compiled);
  });
}

Deno.test("Lookahead takes the slow weights along every k-th step, by its counter", async () => {
  const p = tensor([0], { requiresGrad: true });
  const optimizer = new optim.Lookahead(new optim.SGD([p], { lr: 1 }), { k: 3, alpha: 0.25 });
  const program = compile(() => {
    optimizer.zeroGrad();
    p.sum().backward();
    optimizer.step();
  });
  const seen: number[] = [];
  for (let i = 0; i < 7; i++) {
    await program.run();
    seen.push((await p.data())[0]!);
  }
  assertEquals(seen, [-1, -2, -0.75, -1.75, -2.75, -1.5, -2.5]);
  assertEquals([...optimizer.stateDict().keys()], ["0.slow.0", "lookahead.step"]);
  assertEquals([...await optimizer.stateDict().get("lookahead.step")!.data()], [7]);
  optimizer.lr = 0.5;
  assertEquals([optimizer.lr, optimizer.paramGroups[0]!.lr], [0.5, 0.5]);
});

Deno.test("Muon leaves what is no matrix to an AdamW, whose rate is its own or Muon's", () => {
  const net = new nn.Linear(3, 2), [weight, bias] = net.parameters();
  const optimizer = new optim.Muon(net.parameters(), { lr: 0.1, rest: { eps: 1e-6 } });
  const [matrices, others] = optimizer.paramGroups;
  assert(optimizer.paramGroups.length === 2 && matrices!.params[0] === weight && others!.params[0] === bias);
  assertEquals([matrices!.lr, others!.lr, others!.eps, others!.weightDecay], [0.1, 0.1, 1e-6, 0.01]);
  assertEquals([...optimizer.stateDict().keys()], [
    "0.momentum_buffer.0",
    "1.step",
    "1.exp_avg.0",
    "1.exp_avg_sq.0",
  ]);
  assertEquals(new optim.Muon([weight!], { lr: 0.1 }).paramGroups.length, 1);
  assertEquals(new optim.Muon([bias!], { lr: 0.1, rest: { lr: 0.2 } }).lr, 0.2);
});

Deno.test("RMSprop stays finite where rounding makes a variance negative", async () => {
  const p = zeros([64], { requiresGrad: true }), g = toTensor(uniform(5, [64]));
  const optimizer = new optim.RMSprop([p], { centered: true, alpha: 0.5 });
  const program = compile(() => {
    optimizer.zeroGrad();
    p.mul(g).sum().backward();
    optimizer.step();
  });
  await program.run(100);
  assert((await p.data()).every(Number.isFinite));
});

Deno.test("a gradient of NaN is not lost in a sign", async () => {
  const p = tensor([1, 1], { requiresGrad: true }), optimizer = new optim.Lion([p], { lr: 0.5 });
  p.mul(tensor([NaN, 1])).sum().backward();
  optimizer.step();
  assertEquals([...await p.data()], [NaN, 0.5]);
});

// --- costs -----------------------------------------------------------------------------------------------------------

Deno.test("a step of LeNet has as many dispatches as with SGD, and one more where steps are counted", async () => {
  const x = toTensor(uniform(1, [4, 3, 32, 32])), y = tensor(bits(2, 4).map((b) => b % 10));
  const dispatches = async (name: keyof typeof OPTIMIZERS) => {
    const net = nn.models.lenet(), optimizer = OPTIMIZERS[name].make(net.parameters(), {});
    const step = () => {
      optimizer.zeroGrad();
      F.crossEntropy(net.forward(x), y).backward();
      optimizer.step();
    };
    return await compile(step).dispatches();
  };
  const least = await dispatches("sgd");
  for (const name of ["rmsprop", "adadelta", "lion"] as const) assertEquals(await dispatches(name), least, name);
  for (const name of ["adam", "adamw", "adagrad", "adamax", "nadam", "radam"] as const) {
    assertEquals(await dispatches(name), least + 1, name);
  }
});

// --- options ---------------------------------------------------------------------------------------------------------

Deno.test("every optimizer has its options in paramGroups, with PyTorch's defaults, and no others", () => {
  const p = [zeros([2, 2], { requiresGrad: true })], betas = [0.9, 0.999];
  const plain = { weightDecay: 0, maximize: false }, common = { betas, eps: 1e-8, ...plain };
  const expected: Record<keyof typeof OPTIMIZERS, Record<string, unknown>> = {
    sgd: { lr: 1e-3, momentum: 0, dampening: 0, nesterov: false, ...plain },
    adam: { lr: 1e-3, amsgrad: false, ...common },
    adamw: { lr: 1e-3, amsgrad: false, ...common, weightDecay: 0.01 },
    rmsprop: { lr: 0.01, alpha: 0.99, eps: 1e-8, momentum: 0, centered: false, ...plain },
    adagrad: { lr: 0.01, lrDecay: 0, initialAccumulatorValue: 0, eps: 1e-10, ...plain },
    adadelta: { lr: 1, rho: 0.9, eps: 1e-6, ...plain },
    adamax: { lr: 2e-3, ...common },
    nadam: { lr: 2e-3, momentumDecay: 4e-3, decoupledWeightDecay: false, ...common },
    radam: { lr: 1e-3, decoupledWeightDecay: false, ...common },
    lion: { lr: 1e-4, betas: [0.9, 0.99], weightDecay: 0 },
    muon: {
      lr: 1e-3,
      weightDecay: 0.1,
      momentum: 0.95,
      nesterov: true,
      nsCoefficients: [3.4445, -4.775, 2.0315],
      eps: 1e-7,
      nsSteps: 5,
      adjustLrFn: "original",
    },
  };
  for (const [name, { defaults, make, choices }] of Object.entries(OPTIMIZERS)) {
    const own = expected[name as keyof typeof OPTIMIZERS], [group] = make(p, {}).paramGroups;
    assertEquals(defaults as Record<string, unknown>, own, name);
    const { lr, ...options } = own;
    assertEquals(group!.lr, lr);
    for (const [key, value] of Object.entries(options)) {
      assertEquals((group as unknown as Record<string, unknown>)[key], value, `${name}: ${key}`);
    }
    assertThrows(() => make(p, { learningRate: 1 }), UsageError, 'unknown option "learningRate"');
    assertEquals(Object.keys(choices), name === "muon" ? ["adjustLrFn"] : []);
  }
});

Deno.test("options that make no sense are refused, in one line that says why", () => {
  const p = [zeros([2, 2], { requiresGrad: true })];
  const wrong: Record<string, unknown[]> = {
    lr: [-1, NaN, "0.1", Infinity, 1e39, null],
    eps: [-1e-8, NaN],
    weightDecay: [-0.1, "0"],
    betas: [[0.9], [0.9, 1], [-0.1, 0.9], [0.9, NaN], 0.9, [0.9, 0.99, 0.999], "0.9,0.99"],
    amsgrad: [1, "true"],
    maximize: [0],
    momentum: [-0.1, "0.9"],
    dampening: [NaN],
    nesterov: ["yes"],
    alpha: [-0.1],
    centered: [1],
    lrDecay: [-1],
    initialAccumulatorValue: [-1, Infinity],
    rho: [1.1, -0.1],
    momentumDecay: [-1],
    decoupledWeightDecay: [1],
    nsCoefficients: [[1, 2], [1, 2, NaN]],
    nsSteps: [0, 1.5],
    adjustLrFn: ["other", 1],
  };
  for (const [name, { defaults, make }] of Object.entries(OPTIMIZERS)) {
    for (const key of Object.keys(defaults)) {
      for (const value of wrong[key]!) {
        const error = assertThrows(() => make(p, { [key]: value as number }), UsageError, `: ${key} must be `);
        assert(!error.message.includes("\n") && error.message.includes(", got "), error.message);
        assertThrows(
          () => make([{ params: p, [key]: value }] as unknown as Tensor[], {}),
          UsageError,
          name === "sgd" ? "" : key,
        );
      }
    }
  }
  const message = (fn: () => unknown, text: string) => assertThrows(fn, UsageError, text);
  message(
    () => new optim.Adam(p, { betas: [0.9, 1] }),
    "Adam: betas must be two numbers from 0 to below 1, got [0.9,1]",
  );
  message(() => new optim.Adam(p, 0.1 as never), "Adam: expected options such as { lr: 0.1 }, got 0.1");
  message(() => new optim.Adam(p[0] as never), "Adam: expected an array of tensors");
  message(() => new optim.Muon(p, 0.1 as never), "Muon: expected options such as { lr: 0.1 }, got 0.1");
  message(() => new optim.Muon(p, { rest: 3 as never }), "Muon: rest: expected options such as");
  message(() => new optim.Muon(p, { rest: { momentum: 1 } as never }), 'Muon: rest: unknown option "momentum"');
  message(() => new optim.Muon([p[0]!, p[0]!]), "Muon: a parameter is given twice");
  message(() => new optim.Muon(p, { adjustLrFn: "x" as never }), "adjustLrFn must be one of original, matchRmsAdamw");
  const inner = new optim.SGD(p);
  message(() => new optim.Lookahead(p as never), "Lookahead: expected an optimizer, got an array");
  for (const k of [0, 1.5, "5"]) message(() => new optim.Lookahead(inner, { k: k as number }), "Lookahead: k must be");
  for (const alpha of [-0.1, 1.1]) message(() => new optim.Lookahead(inner, { alpha }), "Lookahead: alpha must be");
  message(() => new optim.Lookahead(inner, { steps: 5 } as never), 'unknown option "steps"');
  for (const decay of [-0.1, 1.1, NaN]) message(() => new optim.EMA(p, { decay }), "EMA: decay must be");
  message(() => new optim.EMA(p, { rate: 1 } as never), 'EMA: unknown option "rate"');
  message(() => new optim.EMA([]), "EMA: there are no parameters");
  message(() => new optim.EMA([p[0]!, p[0]!]), "EMA: a parameter is given twice");
  message(() => new optim.EMA(p[0] as never), "EMA: expected an array of tensors, got a Tensor");
  message(() => new optim.EMA([p[0]!.mul(2)]), "EMA: a parameter is no leaf");
  const state = new optim.EMA(p).stateDict();
  message(() => new optim.EMA([zeros([3])]).loadStateDict(state), "EMA: the state does not fit: average.0 has shape");
  message(
    () => new optim.Adam(p).loadStateDict(new Map()),
    "Adam: the state does not fit: missing 0.step, 0.exp_avg.0",
  );
});
