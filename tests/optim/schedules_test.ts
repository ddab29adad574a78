/**
 * optim.lrScheduler: 100 rates of every schedule with every option against PyTorch, resumed, and ahead of time; the
 * schedules of the command line; what is refused.
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { UsageError } from "../../src/errors.ts";
import { optim, tensor } from "../../src/mod.ts";
import { runSchedule, SCHEDULES } from "../../src/optim/run_schedules.ts";
import { assertClose } from "../support/close.ts";
import { readLines } from "../support/golden.ts";
import { uniform } from "../support/random.ts";

const { lrScheduler } = optim;

/** A schedule as golden_schedules.py spells it. */
interface Spec {
  name: string;
  // deno-lint-ignore no-explicit-any
  args?: any[];
  options?: Record<string, unknown>;
}

interface Golden {
  schedules: Spec[];
  change?: { after: number; lr: number };
  rates: number[];
  ninths: number[];
}

const LAMBDAS: Record<string, (step: number) => number> = {
  slow: (step) => 0.95 ** step,
  slower: (step) => 1 / (1 + step),
};
const noise = uniform(700, [100], 0.25).data;
const losses = noise.map((v, step) => Math.floor((Math.max(0.5, 3 - step / 20) + v) * 64) / 64);

const groups = (...rates: number[]) => ({ paramGroups: rates.map((lr) => ({ lr })) });

type Scheduler = optim.lrScheduler.LRScheduler | optim.lrScheduler.ReduceLROnPlateau;

function make(optimizer: ReturnType<typeof groups>, { name, args = [], options }: Spec): Scheduler {
  const given = name === "SequentialLR"
    ? [args[0].map((one: Spec) => make(optimizer, one)), args[1]]
    : name === "warmup"
    ? [args[0], make(optimizer, args[1])]
    : name === "LambdaLR"
    ? [Array.isArray(args[0]) ? args[0].map((one) => LAMBDAS[one]) : LAMBDAS[args[0]]]
    : args;
  const rest = options ? [...given, options] : given;
  if (name === "warmup") return lrScheduler.warmup(optimizer, ...rest as [number, never]);
  // deno-lint-ignore no-explicit-any
  return new (lrScheduler as any)[name](optimizer, ...rest);
}

/** The rates of both groups in 100 steps; with `resume`, all is made anew after so many. */
function run({ schedules, change }: Golden, resume = -1): number[][] {
  const rising = schedules.some(({ options }) => options?.["mode"] === "max"), seen: number[][] = [];
  let optimizer = groups(0.1, 0.02), all = schedules.map((spec) => make(optimizer, spec));
  for (let step = 0; step < 100; step++) {
    if (step === resume) {
      const states = all.map((one) => JSON.stringify(one.stateDict()));
      optimizer = groups(0.1, 0.02);
      all = schedules.map((spec) => make(optimizer, spec));
      all.forEach((one, i) => one.loadStateDict(JSON.parse(states[i]!)));
      assertEquals(all.map((one) => JSON.stringify(one.stateDict())), states);
    }
    const rates = optimizer.paramGroups.map(({ lr }) => lr);
    for (const one of all) assertEquals([one.lastEpoch, one.lastLr.length], [step, 2]);
    if (all.length === 1 && !change) {
      assertEquals(all[0]!.lastLr, rates);
      if ("rates" in all[0]!) assertEquals(all[0].rates(step), rates);
    }
    seen.push(rates);
    if (step === change?.after) optimizer.paramGroups[0]!.lr = change.lr;
    for (const one of all) one.step(rising ? 4 - losses[step]! : losses[step]!);
  }
  return seen;
}

for (const golden of readLines<Golden>("schedules.jsonl")) {
  const text = golden.schedules.map(({ name, args = [], options = {} }) =>
    `${name}(${JSON.stringify([...args, options]).slice(1, -1).replaceAll('"', "")})`
  ).join(" and ");
  Deno.test(`rates agree with PyTorch: ${text}${golden.change ? ", changed by hand" : ""}`, () => {
    const seen = run(golden),
      first = seen.map(([rate]) => rate!),
      second = seen.flatMap(([, rate], i) => i % 9 === 0 ? rate! : []);
    // What PyTorch computes step by step is not quite 0 where it should be.
    assertClose(first, golden.rates, { rtol: 1e-6, atol: 1e-15 });
    assertClose(second, golden.ninths, { rtol: 1e-6, atol: 1e-15 });
    assertEquals(run(golden, 37), seen, "resumed");
  });

  const [spec] = golden.schedules;
  if (golden.schedules.length > 1 || golden.change || spec!.name === "ReduceLROnPlateau") continue;
  Deno.test(`rates(step) tells them beforehand: ${text}`, () => {
    const scheduler = make(groups(0.1, 0.02), spec!) as optim.lrScheduler.LRScheduler;
    for (const i of [99, 0, 37, 38, 10]) {
      assertClose([scheduler.rates(i)[0]!], [golden.rates[i]!], { rtol: 1e-6, atol: 1e-15 });
    }
    assertEquals(scheduler.lastEpoch, 0);
  });
}

Deno.test("a schedule sets the rates of a real optimizer, from their initial ones even if made later", () => {
  const a = tensor([1], { requiresGrad: true }), b = tensor([1], { requiresGrad: true });
  const optimizer = new optim.SGD([{ params: [a] }, { params: [b], lr: 0.5 }], { lr: 1 });
  const scheduler = new lrScheduler.ExponentialLR(optimizer, 0.5);
  scheduler.step();
  assertEquals(optimizer.paramGroups.map(({ lr }) => lr), [0.5, 0.25]);
  assertEquals(new lrScheduler.ConstantLR(optimizer, { factor: 1 }).baseLrs, [1, 0.5]);
});

Deno.test("OneCycleLR may be stepped to the end and not beyond", () => {
  const scheduler = new lrScheduler.OneCycleLR(groups(1), 1, { totalSteps: 3 });
  for (let i = 0; i < 3; i++) scheduler.step();
  assertThrows(() => scheduler.step(), UsageError, "OneCycleLR: step 4 of 3: the cycle is over");
  assertEquals(scheduler.lastEpoch, 3);
});

Deno.test("a metric that is no number is a bad epoch", () => {
  const optimizer = groups(1), scheduler = new lrScheduler.ReduceLROnPlateau(optimizer, { patience: 1 });
  scheduler.step(NaN);
  scheduler.step(NaN);
  assertEquals(optimizer.paramGroups[0]!.lr, 0.1);
});

// --- the names of the command line -----------------------------------------------------------------------------------

const factors = (name: string, total: number, options = {}, more = {}) => {
  const schedule = runSchedule(name, { totalSteps: total, stepsPerEpoch: 10, options, ...more });
  return Array.from({ length: total }, (_, i) => schedule(i, 1));
};

/** What a class of PyTorch's names gives over the same steps. */
const classRates = (spec: Spec, steps: number) => {
  const scheduler = make(groups(1), spec) as optim.lrScheduler.LRScheduler;
  return Array.from({ length: steps }, (_, i) => scheduler.rates(i)[0]!);
};

// A run of 9 epochs of 10 steps each.
const named: [name: string, options: Record<string, unknown>, spec: Spec][] = [
  ["none", {}, { name: "LambdaLR", args: ["one"] }],
  ["step", {}, { name: "StepLR", args: [30] }],
  ["step", { stepSize: 2, gamma: 0.5 }, { name: "StepLR", args: [20], options: { gamma: 0.5 } }],
  ["multistep", {}, { name: "MultiStepLR", args: [[45, 68]] }],
  ["multistep", { milestones: [1, 2.5], gamma: 0.5 }, {
    name: "MultiStepLR",
    args: [[10, 25]],
    options: { gamma: 0.5 },
  }],
  ["exponential", {}, { name: "StepLR", args: [10], options: { gamma: 0.95 } }],
  ["exponential", { gamma: 0.5 }, { name: "StepLR", args: [10], options: { gamma: 0.5 } }],
  ["cosine", {}, { name: "CosineAnnealingLR", args: [90] }],
  ["cosine", { minFactor: 0.1 }, { name: "CosineAnnealingLR", args: [90], options: { etaMin: 0.1 } }],
  ["cosine-restarts", {}, { name: "CosineAnnealingWarmRestarts", args: [30] }],
  ["cosine-restarts", { t0: 2, tMult: 2, minFactor: 0.1 }, {
    name: "CosineAnnealingWarmRestarts",
    args: [20],
    options: { tMult: 2, etaMin: 0.1 },
  }],
  ["one-cycle", {}, { name: "OneCycleLR", args: [1], options: { totalSteps: 90 } }],
  ...[{ pctStart: 0.5 }, { annealStrategy: "linear" }, { divFactor: 4 }, { finalDivFactor: 9 }, { threePhase: true }]
    .map(
      (
        options,
      ): typeof named[0] => ["one-cycle", options, {
        name: "OneCycleLR",
        args: [1],
        options: { totalSteps: 90, ...options },
      }],
    ),
  ["linear", {}, { name: "LinearLR", options: { startFactor: 1, endFactor: 0, totalIters: 90 } }],
  ["linear", { startFactor: 0.5, endFactor: 0.1 }, {
    name: "LinearLR",
    options: { startFactor: 0.5, endFactor: 0.1, totalIters: 90 },
  }],
  ["polynomial", {}, { name: "PolynomialLR", options: { totalIters: 90 } }],
  ["polynomial", { power: 2 }, { name: "PolynomialLR", options: { totalIters: 90, power: 2 } }],
];
LAMBDAS["one"] = () => 1;

for (const [name, options, spec] of named) {
  Deno.test(`--schedule ${name} ${JSON.stringify(options)} is ${spec.name}`, () => {
    assertClose(factors(name, 90, options), classRates(spec, 90), { rtol: 1e-12, atol: 1e-15 });
    // Behind a warm-up, with the steps that are left.
    const warm = factors(name, 100, options, { warmup: 10, startFactor: 0.1 });
    assertClose(warm.slice(0, 10), Array.from({ length: 10 }, (_, i) => 0.1 + 0.09 * i));
    assertEquals(warm.slice(10), factors(name, 90, options));
  });
}

Deno.test("--schedule plateau goes by the losses of epochs, as ReduceLROnPlateau does, and can be resumed", () => {
  const options = [
    {},
    { factor: 0.5 },
    { patience: 2 },
    { threshold: 0.1, patience: 1 },
    { threshold: 0.1, thresholdMode: "abs", patience: 1 },
    { cooldown: 3, patience: 1 },
    { minFactor: 0.05, patience: 1 },
  ];
  const seen = options.map(({ minFactor: minLr = 0, ...rest }) => {
    const given = { ...rest, ...(minLr ? { minFactor: minLr } : {}) };
    let schedule = runSchedule("plateau", { totalSteps: 1000, stepsPerEpoch: 10, warmup: 10, options: given });
    const optimizer = groups(1),
      golden = new lrScheduler.ReduceLROnPlateau(optimizer, { ...rest, minLr, eps: 0 } as never);
    return losses.map((loss, epoch) => {
      if (epoch === 37) {
        const state = JSON.parse(JSON.stringify(schedule.plateau!.state()));
        schedule = runSchedule("plateau", { totalSteps: 1000, stepsPerEpoch: 10, warmup: 10, options: given });
        schedule.plateau!.loadState(state);
      }
      schedule.plateau!.endEpoch(loss);
      golden.step(loss);
      assertClose([schedule(500, 1)], [optimizer.paramGroups[0]!.lr], { rtol: 1e-12, atol: 0 });
      assertClose([schedule(5, 1)], [schedule(500, 1) * 0.505], { rtol: 1e-12, atol: 0 });
      return schedule(500, 1);
    });
  });
  assertEquals(new Set(seen.map((one) => JSON.stringify(one))).size, options.length, "an option makes no difference");
});

Deno.test("every named schedule starts and stays between 0 and 1, and says what it does", () => {
  for (const [name, { summary, defaults, make }] of Object.entries(SCHEDULES)) {
    assert(summary.length > 10 && !summary.includes("\n"));
    const made = make(7, 3, defaults);
    if (made.plateau) assertEquals([name, made.plateau.factor], ["plateau", 1]);
    for (let i = 0; i < 7; i++) assert(made(i, 1) >= 0 && made(i, 1) <= 1, `${name} ${i}`);
  }
});

// --- what is refused -------------------------------------------------------------------------------------------------

// deno-lint-ignore no-explicit-any
const any = (value: unknown) => value as any;
const o = groups(1, 1);
const refused: [call: () => unknown, message: string][] = [
  [() => new lrScheduler.StepLR(any({}), 3), "StepLR: expected an optimizer, got an object"],
  [() => new lrScheduler.StepLR(any(null), 3), "StepLR: expected an optimizer, got null"],
  [() => new lrScheduler.StepLR(o, 0), "StepLR: stepSize must be a whole number of 1 or more, got 0"],
  [() => new lrScheduler.StepLR(o, 3, any(0.5)), "StepLR: expected options such as { gamma: 0.5 }, got 0.5"],
  [() => new lrScheduler.StepLR(o, 3, any({ step: 1 })), 'StepLR: unknown option "step" (it has gamma)'],
  [() => new lrScheduler.StepLR(o, 3, { gamma: -1 }), "StepLR: gamma must be a number of 0 or more, got -1"],
  [
    () => new lrScheduler.MultiStepLR(o, [3, 2]),
    "MultiStepLR: milestones must be whole numbers of 0 or more in rising order, got [3, 2]",
  ],
  [
    () => new lrScheduler.MultiStepLR(o, any(3)),
    "MultiStepLR: milestones must be whole numbers of 0 or more in rising order, got 3",
  ],
  [() => new lrScheduler.ConstantLR(o, { factor: 2 }), "ConstantLR: factor must be a number from 0 to 1, got 2"],
  [() => new lrScheduler.LinearLR(o, { startFactor: 2 }), "LinearLR: startFactor must be a number from 0 to 1, got 2"],
  [() => new lrScheduler.LinearLR(o, { endFactor: NaN }), "LinearLR: endFactor must be a number from 0 to 1, got NaN"],
  [
    () => new lrScheduler.LinearLR(o, { totalIters: 0.5 }),
    "LinearLR: totalIters must be a whole number of 1 or more, got 0.5",
  ],
  [
    () => new lrScheduler.ExponentialLR(o, any(undefined)),
    "ExponentialLR: gamma must be a number of 0 or more, got undefined",
  ],
  [() => new lrScheduler.PolynomialLR(o, { power: -1 }), "PolynomialLR: power must be a number of 0 or more, got -1"],
  [() => new lrScheduler.CosineAnnealingLR(o, 0), "CosineAnnealingLR: tMax must be a whole number of 1 or more, got 0"],
  [
    () => new lrScheduler.CosineAnnealingLR(o, 9, { etaMin: -1 }),
    "CosineAnnealingLR: etaMin must be a number of 0 or more, got -1",
  ],
  [
    () => new lrScheduler.CosineAnnealingWarmRestarts(o, 1.5),
    "CosineAnnealingWarmRestarts: t0 must be a whole number of 1 or more, got 1.5",
  ],
  [
    () => new lrScheduler.CosineAnnealingWarmRestarts(o, 5, { tMult: 0 }),
    "CosineAnnealingWarmRestarts: tMult must be a whole number of 1 or more, got 0",
  ],
  [
    () => new lrScheduler.OneCycleLR(o, 1),
    "OneCycleLR: without totalSteps, epochs must be a whole number of 1 or more, got undefined",
  ],
  [
    () => new lrScheduler.OneCycleLR(o, [1], { totalSteps: 5 }),
    "OneCycleLR: maxLr: expected 2, one for each group, got 1",
  ],
  [
    () => new lrScheduler.OneCycleLR(o, any("1"), { totalSteps: 5 }),
    'OneCycleLR: maxLr must be a number of 0 or more, got "1"',
  ],
  [
    () => new lrScheduler.OneCycleLR(o, 1, { totalSteps: 5, pctStart: 2 }),
    "OneCycleLR: pctStart must be a number from 0 to 1, got 2",
  ],
  [() => new lrScheduler.OneCycleLR(o, 1, { totalSteps: 5, divFactor: 0 }), "OneCycleLR: divFactor must not be 0"],
  [
    () => new lrScheduler.OneCycleLR(o, 1, { totalSteps: 5, annealStrategy: any("sin") }),
    'OneCycleLR: annealStrategy must be one of cos, linear, got "sin"',
  ],
  [
    () => new lrScheduler.OneCycleLR(o, 1, { totalSteps: 5, threePhase: any(1) }),
    "OneCycleLR: threePhase must be true or false, got 1",
  ],
  [
    () => new lrScheduler.OneCycleLR(o, 1, { totalSteps: 5, cycleMomentum: any(true) }),
    "OneCycleLR: cycleMomentum must be false: the momentum is part of the optimizer's kernels",
  ],
  [() => new lrScheduler.LambdaLR(o, any(0.5)), "LambdaLR: lrLambda must be a function, got 0.5"],
  [() => new lrScheduler.LambdaLR(o, [() => 1]), "LambdaLR: lrLambda: expected 2, one for each group, got 1"],
  [
    () => new lrScheduler.SequentialLR(o, [new lrScheduler.ConstantLR(groups(1))], []),
    "SequentialLR: expected an array of schedulers of the same optimizer, of step() without metric",
  ],
  [
    () => new lrScheduler.SequentialLR(o, [new lrScheduler.ConstantLR(o)], [3]),
    "SequentialLR: 1 schedules need 0 milestones between them, got 1",
  ],
  [
    () => lrScheduler.warmup(o, 0, new lrScheduler.ConstantLR(o)),
    "warmup: totalIters must be a whole number of 1 or more, got 0",
  ],
  [
    () => lrScheduler.warmup(o, 5, any(new lrScheduler.ReduceLROnPlateau(o))),
    "SequentialLR: expected an array of schedulers of the same optimizer, of step() without metric",
  ],
  [() => new lrScheduler.ReduceLROnPlateau(o, { factor: 1 }), "ReduceLROnPlateau: factor must be less than 1, got 1"],
  [
    () => new lrScheduler.ReduceLROnPlateau(o, { mode: any("least") }),
    'ReduceLROnPlateau: mode must be one of min, max, got "least"',
  ],
  [
    () => new lrScheduler.ReduceLROnPlateau(o, { thresholdMode: any("x") }),
    'ReduceLROnPlateau: thresholdMode must be one of rel, abs, got "x"',
  ],
  [
    () => new lrScheduler.ReduceLROnPlateau(o, { minLr: [0] }),
    "ReduceLROnPlateau: minLr: expected 2, one for each group, got 1",
  ],
  [
    () => new lrScheduler.ReduceLROnPlateau(o, { patience: -1 }),
    "ReduceLROnPlateau: patience must be a whole number of 0 or more, got -1",
  ],
  [
    () => new lrScheduler.ReduceLROnPlateau(o).step(any("1")),
    'ReduceLROnPlateau: expected a number as metric, got "1"',
  ],
  [
    () => new lrScheduler.ReduceLROnPlateau(o).loadStateDict(any({})),
    "ReduceLROnPlateau: expected a state as stateDict() gives, got an object",
  ],
  [
    () => new lrScheduler.StepLR(o, 3).loadStateDict(any({})),
    "StepLR: expected a state as stateDict() gives, of 2 groups, got an object",
  ],
  [
    () => new lrScheduler.StepLR(o, 3).loadStateDict(new lrScheduler.StepLR(groups(1), 3).stateDict()),
    "StepLR: expected a state as stateDict() gives, of 2 groups, got an object",
  ],
  [() => new lrScheduler.StepLR(o, 3).rates(-1), "rates: the step must be a number of 0 or more, got -1"],
  [
    () => runSchedule("steps", { totalSteps: 9, stepsPerEpoch: 3 }),
    'no such schedule: "steps" (choose from none, step, multistep,',
  ],
  [() => factors("step", 9, { size: 3 }), 'step: unknown option "size" (it has stepSize, gamma)'],
  [() => factors("step", 9, { stepSize: -1 }), "step: stepSize must be a number of 0 or more, got -1"],
  [() => factors("cosine", 9, { minFactor: 2 }), "cosine: minFactor must be a number from 0 to 1, got 2"],
  [
    () => factors("one-cycle", 9, { annealStrategy: "sin" }),
    'one-cycle: annealStrategy must be one of cos, linear, got "sin"',
  ],
  [() => factors("multistep", 9, { milestones: 3 }), "multistep: milestones must be an array, got 3"],
  [() => factors("one-cycle", 9, { threePhase: 1 }), "one-cycle: threePhase must be a boolean, got 1"],
  [() => factors("plateau", 9, { patience: 0.5 }), "plateau: patience must be a whole number of 0 or more, got 0.5"],
  [
    () => factors("none", 9, {}, { warmup: -1 }),
    "warm-up: the number of steps must be a whole number of 0 or more, got -1",
  ],
  [
    () => (runSchedule("plateau", { totalSteps: 9, stepsPerEpoch: 3 }).plateau!).loadState(any({})),
    "plateau: the factor of the state must be a number from 0 to 1, got undefined",
  ],
];
for (const [call, message] of refused) {
  Deno.test(`refused: ${message}`, () => {
    const error = assertThrows(call);
    assert(error instanceof UsageError, String(error));
    assertEquals(error.message.slice(0, message.length), message);
  });
}
