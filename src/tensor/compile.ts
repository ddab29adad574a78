/**
 * `compile()`: records a step once and returns the program that replays it.
 *
 * @module
 */
import { ShapeError } from "../errors.ts";
import { type Gpu, requestGpu } from "../gpu/device.ts";
import { allocateStorage, type Storage } from "../gpu/memory.ts";
import { Value, withoutReads } from "../graph/node.ts";
import { submit } from "../graph/plan.ts";
import { evaluate, StepProgram, type Update } from "../graph/program.ts";
import { needed } from "../graph/rewrite.ts";
import { RULES } from "../ops/fuse.ts";
import { holders, inTurn, settle, Tensor, watch } from "./tensor.ts";

/** A tensor that the step reads, changes or returns, and the value that last owned the storage which the step uses. */
interface Slot {
  readonly tensor: Tensor;
  owner: Value;
  /** The step writes it. */
  readonly written: boolean;
}

/** What a run must see to first. */
interface Handover {
  /** The value that gives its storage up. It gets a copy if something that is not computed yet reads it. */
  readonly from: Value;
  /** The value that takes the storage over. */
  readonly to: Value;
  /** The tensor's elements at the time, if they are not those of `from`. */
  readonly moved: Value | null;
}

/**
 * A step that was recorded once. Each run reads the tensors that the step used as they then are, and changes in place
 * those that the step changed. The tensors that the step returned hold the elements of the last run. What was recorded
 * from any of them before a run has the elements of then.
 */
export class Program<T = unknown> {
  readonly #slots: readonly Slot[];
  /** The slots of the returned tensors, which come after those of leaves. */
  readonly #outputs: readonly Value[];
  readonly #updates: readonly Update[];
  readonly #leaves: readonly Value[];
  #step: StepProgram | null = null;
  #disposed = false;

  /** Made by `compile()`. @param result what the step returned. */
  constructor(
    readonly result: T,
    outputs: readonly Tensor[],
    updates: readonly Update[],
    used: ReadonlyMap<Tensor, Value>,
  ) {
    this.#outputs = outputs.map(({ value }) => value);
    this.#updates = updates;
    this.#leaves = [...used.values()];
    const written = new Set(updates.map(({ leaf }) => leaf));
    this.#slots = [
      ...Array.from(used, ([tensor, owner]) => ({ tensor, owner, written: written.has(owner) })),
      ...outputs.filter((one) => !used.has(one)).map((tensor) => ({ tensor, owner: tensor.value, written: true })),
    ];
  }

  /** Submits `times` steps (default 1) and returns without waiting for the GPU; what is read afterwards waits. */
  async run(times = 1): Promise<void> {
    if (!Number.isInteger(times) || times < 0) throw new ShapeError(`run: ${times} is no number of steps`);
    if (this.#disposed) throw new ShapeError("run: this program was disposed of");
    if (times === 0) return;
    const handovers = this.#slots.flatMap((slot) => {
      const { tensor, owner: from, written } = slot, moved = tensor.value === from ? null : tensor.value;
      if (!written && !moved) return [];
      const to = new Value(from.shape, from.dtype);
      tensor.rebind(to);
      settle(tensor);
      slot.owner = to;
      return [{ from, to, moved }];
    });
    await inTurn(async () => {
      const gpu = await requestGpu();
      await this.#built(gpu);
      await this.#handOver(gpu, handovers);
      await this.#step!.run(times);
    });
  }

  /** The number of kernels that one step runs. */
  dispatches(): Promise<number> {
    return inTurn(async () => (await this.#built(await requestGpu())).dispatches);
  }

  async #built(gpu: Gpu): Promise<StepProgram> {
    if (!this.#step) {
      // A leaf may itself be the result of something that is not computed yet.
      await evaluate(gpu, this.#leaves, RULES);
      this.#step = new StepProgram(gpu, this.#outputs, this.#updates, this.#leaves, RULES);
      this.#outputs.forEach((output, i) => output.storage = this.#step!.outputs[i]!);
    }
    return this.#step;
  }

  async #handOver(gpu: Gpu, handovers: readonly Handover[]): Promise<void> {
    const moved = handovers.flatMap((one) => one.moved ?? []);
    if (moved.length > 0) await evaluate(gpu, moved, RULES);
    const saves: { from: Storage; to: Storage }[] = [], moves: { from: Storage; to: Storage }[] = [];
    for (const { from, to, moved } of handovers) {
      const storage = from.storage!;
      to.storage = storage;
      const copy = from.read ? allocateStorage(gpu, storage.size) : null;
      if (copy) saves.push({ from: storage, to: copy });
      from.storage = copy;
      copy?.block.release(); // Held by the value now.
      if (moved) moves.push({ from: moved.storage!, to: storage });
    }
    if (saves.length + moves.length > 0) submit(gpu, [...saves, ...moves]);
  }

  /** Gives the memory of the step's intermediates back. The program cannot run any more. */
  dispose(): Promise<void> {
    this.#disposed = true;
    return inTurn(() => {
      this.#step?.dispose();
      return Promise.resolve();
    });
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
  const watcher = {
    changes(tensor: Tensor) {
      if (!before.has(tensor)) before.set(tensor, { value: tensor.value, grad: tensor.grad });
    },
    accumulates(tensor: Tensor) {
      if (before.has(tensor)) return;
      throw new ShapeError("compile: the step adds to a gradient from before it; call zeroGrad() in the step");
    },
  };
  let result: T;
  const updates: Update[] = [];
  const used = new Map<Tensor, Value>();
  try {
    result = withoutReads(() => watch(watcher, fn));
  } finally {
    for (const [tensor, { value: leaf, grad }] of before) {
      if (tensor.value !== leaf) {
        updates.push({ leaf, value: tensor.value });
        used.set(tensor, leaf);
        tensor.rebind(leaf);
        settle(tensor);
      }
      tensor.grad = grad;
    }
  }
  const outputs = tensorsIn(result);
  for (const { inputs } of needed([...outputs.map(({ value }) => value), ...updates.map(({ value }) => value)])) {
    for (const input of inputs) {
      const holder = holders.get(input);
      if (holder && !input.node) used.set(holder, input);
    }
  }
  return new Program(result, outputs, updates, used);
}

/** The tensors in `result`: itself, or the items of an array, or the values of an object. */
function tensorsIn(result: unknown): Tensor[] {
  if (result instanceof Tensor) return [result];
  const items = Array.isArray(result) ? result : result && typeof result === "object" ? Object.values(result) : [];
  return items.filter((item) => item instanceof Tensor);
}
