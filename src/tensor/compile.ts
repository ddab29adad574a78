/**
 * `compile()`: records a step once and returns the program that replays it.
 *
 * @module
 */
import { ShapeError } from "../errors.ts";
import { requestGpu } from "../gpu/device.ts";
import type { Value } from "../graph/node.ts";
import { evaluate, StepProgram, type Update } from "../graph/program.ts";
import { needed } from "../graph/rewrite.ts";
import { RULES } from "../ops/fuse.ts";
import { holders, settle, Tensor, watch } from "./tensor.ts";

/** A tensor that the step reads or changes, and the leaf that it had when the step was recorded. */
interface Used {
  readonly tensor: Tensor;
  readonly leaf: Value;
}

/**
 * A step that was recorded once. Each run reads the tensors that the step used as they then are, and changes in place
 * those that the step changed. The tensors that the step returned hold the elements of the last run.
 */
export class Program<T = unknown> {
  #step: Promise<StepProgram> | null = null;

  /** @param result what the step returned. */
  constructor(
    readonly result: T,
    readonly outputs: readonly Value[],
    readonly updates: readonly Update[],
    readonly used: readonly Used[],
  ) {}

  /** Submits `times` steps (default 1) and returns without waiting for the GPU; what is read afterwards waits. */
  async run(times = 1): Promise<void> {
    if (!Number.isInteger(times) || times < 0) throw new ShapeError(`run: ${times} is no number of steps`);
    const step = await this.#built();
    // Tensors that were changed by other means since: their elements are moved to where the program expects them.
    const moved = this.used.filter(({ tensor, leaf }) => tensor.value !== leaf);
    if (moved.length > 0) {
      const gpu = await requestGpu();
      await evaluate(gpu, moved.map(({ tensor }) => tensor.value), RULES);
      const moves = moved.map(({ tensor, leaf }) => ({ leaf, value: tensor.value }));
      const copy = new StepProgram(gpu, [], moves, RULES);
      await copy.run(1);
      copy.dispose();
      for (const { tensor, leaf } of moved) {
        settle(tensor);
        tensor.rebind(leaf);
      }
    }
    await step.run(times);
  }

  /** The number of kernels that one step runs. */
  async dispatches(): Promise<number> {
    return (await this.#built()).dispatches;
  }

  #built(): Promise<StepProgram> {
    return this.#step ??= (async () => {
      const gpu = await requestGpu();
      // A leaf may itself be the result of something that is not computed yet.
      await evaluate(gpu, this.updates.map(({ leaf }) => leaf), RULES);
      return new StepProgram(gpu, this.outputs, this.updates, RULES);
    })();
  }

  /** Gives the memory of the step's intermediates back. The program must not run any more. */
  async dispose(): Promise<void> {
    (await this.#step)?.dispose();
  }
}

/**
 * Records `fn`, which must be a whole step (say forward, `backward()`, `optimizer.step()`), and returns its program.
 * `fn` is called once, with nothing computed; it may return tensors, alone, in an array or as an object's properties.
 * Gradients of the step belong to the program: `grad` of a tensor is afterwards what it was before.
 *
 * ```ts
 * const step = compile(() => {
 *   const loss = F.crossEntropy(net.forward(x), y);
 *   optimizer.zeroGrad();
 *   loss.backward();
 *   optimizer.step();
 *   return loss;
 * });
 * await step.run(1000);
 * console.log(await step.result.item());
 * ```
 */
export function compile<T>(fn: () => T): Program<T> {
  const before = new Map<Tensor, { value: Value; grad: Tensor | null }>();
  const result = watch({
    changes(tensor) {
      if (!before.has(tensor)) before.set(tensor, { value: tensor.value, grad: tensor.grad });
    },
    accumulates(tensor) {
      if (before.has(tensor)) return;
      throw new ShapeError("compile: the step adds to a gradient from before it; call zeroGrad() in the step");
    },
  }, fn);
  const outputs = tensorsIn(result).map((one) => one.value);
  const updates: Update[] = [], used = new Map<Tensor, Value>();
  for (const [tensor, { value: leaf, grad }] of before) {
    if (tensor.value !== leaf) {
      updates.push({ leaf, value: tensor.value });
      used.set(tensor, leaf);
      tensor.rebind(leaf);
      settle(tensor);
    }
    tensor.grad = grad;
  }
  for (const { inputs } of needed([...outputs, ...updates.map(({ value }) => value)])) {
    for (const input of inputs) {
      const holder = holders.get(input);
      if (holder && !input.node) used.set(holder, input);
    }
  }
  return new Program(result, outputs, updates, [...used].map(([tensor, leaf]) => ({ tensor, leaf })));
}

/** The tensors in `result`: itself, or the items of an array, or the values of an object. */
function tensorsIn(result: unknown): Tensor[] {
  if (result instanceof Tensor) return [result];
  const items = Array.isArray(result) ? result : result && typeof result === "object" ? Object.values(result) : [];
  return items.filter((item) => item instanceof Tensor);
}
