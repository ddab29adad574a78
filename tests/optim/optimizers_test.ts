/**
 * Every optimizer with every option, in groups and around others: twenty steps of a small net against PyTorch and the
 * references of golden_optim.py, eager and compiled; moving averages.
 */
import { GPU } from "../../src/backend/profile.ts";
import { requestBackend } from "../../src/backend/request.ts";
import { evaluate } from "../../src/graph/program.ts";
import { compile, F, optim, type Tensor, tensor } from "../../src/mod.ts";
import { rules } from "../../src/ops/fuse.ts";
import { OPTIMIZERS } from "../../src/optim/registry.ts";
import { assertRelative, assertSameBits } from "../support/close.ts";
import { readLines } from "../support/golden.ts";
import { toTensor, values } from "../support/gradcheck.ts";
import { withMerging } from "../support/merging.ts";
import { setWeights, SmallNet } from "../support/nets.ts";
import { withProfile } from "../support/profile.ts";
import { bits, uniform } from "../support/random.ts";

// deno-lint-ignore no-explicit-any
type Options = Record<string, any>;

interface Golden {
  name: keyof typeof OPTIMIZERS | "lookahead" | "ema" | "clip";
  options: Options;
  groups?: [Options, Options];
  lrAfter10?: number;
  norm?: number;
  /** Every third element of the parameters. */
  after: number[];
}

const cases = readLines<Golden>("optim.jsonl");
const images = (step: number) => toTensor(uniform(500 + step, [5, 2, 6, 6]));
const labels = (step: number) => tensor(bits(600 + step, 5).map((b) => b % 4));

/** The optimizer of a case. */
function make(net: SmallNet, { name, options, groups }: Pick<Golden, "name" | "options" | "groups">): optim.Optimizer {
  if (name === "lookahead") {
    const { inner, of, ...own } = options;
    return new optim.Lookahead(make(net, { name: inner, options: of }), own);
  }
  const params = groups
    ? [net.conv, net.fc].map((layer, i) => ({ params: layer.parameters(), ...groups[i] }))
    : net.parameters();
  return OPTIMIZERS[name as keyof typeof OPTIMIZERS].make(params as Tensor[], options);
}

/** The small net of a case, and one step on a batch. */
function trainer(golden: Golden) {
  const net = setWeights(new SmallNet(), 400), optimizer = make(net, golden);
  const step = (x: Tensor, y: Tensor) => {
    optimizer.zeroGrad();
    F.crossEntropy(net.forward(x), y).backward();
    optimizer.step();
  };
  return { net, optimizer, step };
}

/** Every third element of tensors one after the other. */
async function sample(tensors: readonly Tensor[]): Promise<number[]> {
  return (await values(tensors)).flatMap((one) => [...one]).filter((_, i) => i % 3 === 0);
}

const text = (options: Options, groups: readonly Options[] = []) =>
  JSON.stringify([options, ...groups]).slice(1, -1).replaceAll('"', "");

for (const golden of cases) {
  const { name, options, groups, lrAfter10, after } = golden;
  if (name === "ema" || name === "clip") continue;
  const then = lrAfter10 === undefined ? "" : `, then lr ${lrAfter10}`;
  Deno.test(`${name} agrees with PyTorch over 20 steps: ${text(options, groups)}${then}`, async () => {
    const { net, optimizer, step } = trainer(golden);
    for (let i = 0; i < 20; i++) {
      if (i === 10 && lrAfter10 !== undefined) optimizer.lr = lrAfter10;
      step(images(i), labels(i));
    }
    assertRelative(await sample(net.parameters()), after);
  });
}

/** Runs 20 compiled steps of a case, each on its batch. */
async function runCompiled(golden: Golden, own = trainer(golden), more = () => {}): Promise<SmallNet> {
  const { net, optimizer, step } = own, x = images(0), y = labels(0);
  const program = compile(() => {
    step(x, y);
    more();
  });
  for (let i = 0; i < 20; i++) {
    if (i === 10 && golden.lrAfter10 !== undefined) optimizer.lr = golden.lrAfter10;
    x.copy_(images(i));
    y.copy_(labels(i));
    await program.run();
  }
  return net;
}

for (
  const golden of cases.filter(({ name, groups }, i) => cases.findIndex((one) => one.name === name) === i || groups)
) {
  const { name, options, groups, after } = golden;
  if (name === "ema" || name === "clip") continue;
  // On GPUs, programs merge what is small.
  Deno.test(`${name} agrees with PyTorch over 20 compiled steps: ${text(options, groups)}`, async () => {
    await withMerging(true, async () => {
      assertRelative(await sample((await runCompiled(golden)).parameters()), after);
    });
  });
}

Deno.test("a rate that is changed between compiled steps takes effect", async () => {
  const golden = cases.find(({ lrAfter10 }) => lrAfter10 !== undefined)!;
  assertRelative(await sample((await runCompiled(golden)).parameters()), golden.after);
});

Deno.test("every optimizer agrees with PyTorch in the form that its kernels have on GPUs", async () => {
  const gpu = await requestBackend();
  const most = (name: string) =>
    cases.filter((one) => one.name === name).reduce((a, b) =>
      Object.keys(b.options).length > Object.keys(a.options).length ? b : a
    );
  for (const name of [...Object.keys(OPTIMIZERS), "lookahead"]) {
    const golden = most(name), { net, step } = trainer(golden);
    for (let i = 0; i < 20; i++) step(images(i), labels(i));
    await withProfile(GPU, () => evaluate(gpu, net.parameters().map(({ value }) => value), rules()));
    assertRelative(await sample(net.parameters()), golden.after, 1e-5, name);
  }
});

for (const compiled of [false, true]) {
  const { options, after } = cases.find(({ name }) => name === "ema")!;
  const adam: Golden = { name: "adam", options: { lr: 0.01 }, after: [] };
  Deno.test(`EMA agrees with PyTorch over 20 ${compiled ? "compiled " : ""}steps, and swaps`, async () => {
    const own = trainer(adam), { net } = own, ema = new optim.EMA(net.parameters(), options);
    if (compiled) await runCompiled(adam, own, () => ema.update());
    for (let i = 0; i < 20 && !compiled; i++) {
      own.step(images(i), labels(i));
      ema.update();
    }
    assertRelative(await sample(ema.averages), after);
    const [averages, trained] = [await values(ema.averages), await values(net.parameters())];
    ema.swap();
    (await values(net.parameters())).forEach((one, i) => assertSameBits(one, averages[i]!));
    ema.swap();
    (await values(net.parameters())).forEach((one, i) => assertSameBits(one, trained[i]!));
    (await values(ema.averages)).forEach((one, i) => assertSameBits(one, averages[i]!));
  });
}

for (const name of [...Object.keys(OPTIMIZERS), "lookahead"] as (keyof typeof OPTIMIZERS)[]) {
  Deno.test(`the state of ${name} that is saved and loaded goes on bit for bit`, async () => {
    const golden = cases.findLast((one) => one.name === name && !one.groups)!;
    const train = ({ step }: ReturnType<typeof trainer>, from: number, to: number) => {
      for (let i = from; i < to; i++) step(images(i), labels(i));
    };
    const whole = trainer(golden), first = trainer(golden), second = trainer(golden);
    train(whole, 0, 20);
    train(first, 0, 10);
    const state = [...first.optimizer.stateDict()], data = await values(state.map(([, one]) => one));
    const saved = state.map(([key, { shape, dtype }], i) => [key, tensor(data[i]!, { shape, dtype })] as const);
    second.net.loadStateDict(first.net.stateDict());
    second.optimizer.loadStateDict(new Map(saved));
    train(second, 10, 20);
    const [a, e] = [await values(second.net.parameters()), await values(whole.net.parameters())];
    a.forEach((weights, i) => assertSameBits(weights, e[i]!));
  });
}
