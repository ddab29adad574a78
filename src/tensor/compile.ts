/**
 * `compile()`: records a step once and returns the program that replays it.
 *
 * @module
 */
import { ShapeError } from "../errors.ts";
import { type Gpu, requestGpu } from "../gpu/device.ts";
import { allocateStorage, type Storage } from "../gpu/memory.ts";
import { Value, withoutReads } from "../graph/node.ts";
import { submit, upload } from "../graph/plan.ts";
import { evaluate, StepProgram, type Update } from "../graph/program.ts";
import { needed } from "../graph/rewrite.ts";
import { RULES } from "../ops/fuse.ts";
import { inTurn, settle } from "./realize.ts";
import { Tensor } from "./tensor.ts";
import { holders, watch } from "./watch.ts";

/** Where programs find a tensor. All programs that use a tensor share its home, so that none has to copy it. */
interface Home {
  /** That of `origin`, from when the first of the programs is built. */
  storage: Storage | null;
  /** The first owner. */
  readonly origin: Value;
  /** The value that now owns the storage. */
  owner: Value;
}

const homes = new WeakMap<Tensor, Home>();

function homeOf(tensor: Tensor): Home {
  let home = homes.get(tensor);
  if (!home) homes.set(tensor, home = { storage: null, origin: tensor.value, owner: tensor.value });
  return home;
}

/** A tensor that the step reads, changes or returns. */
interface Slot {
  readonly tensor: Tensor;
  readonly home: Home;
  /** The value that stood for it when the step was recorded. */
  readonly leaf: Value;
  /** The step writes it. */
  readonly written: boolean;
}

/** What a run must see to first: the storage of a home passes on to a new value. */
interface Handover {
  readonly home: Home;
  /** Gives the storage up. It gets a copy if something that is not computed yet reads it. */
  readonly from: Value;
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
  readonly #leaves: readonly Slot[];
  readonly #outputs: readonly Slot[];
  readonly #updates: readonly Update[];
  #step: StepProgram | null = null;
  #disposed = false;

  /** Made by `compile()`. @param result what the step returned. */
  constructor(
    readonly result: T,
    outputs: readonly Tensor[],
    updates: readonly Update[],
    used: ReadonlyMap<Tensor, Value>,
  ) {
    const written = new Set(updates.map(({ leaf }) => leaf));
    this.#updates = updates;
    this.#leaves = Array.from(
      used,
      ([tensor, leaf]) => ({ tensor, home: homeOf(tensor), leaf, written: written.has(leaf) }),
    );
    this.#outputs = outputs.filter((one) => !used.has(one))
      .map((tensor) => ({ tensor, home: homeOf(tensor), leaf: tensor.value, written: true }));
  }

  /** Submits `times` steps (default 1) and returns without waiting for the GPU; what is read afterwards waits. */
  async run(times = 1): Promise<void> {
    if (!Number.isInteger(times) || times < 0) throw new ShapeError(`run: ${times} is no number of steps`);
    if (this.#disposed) throw new ShapeError("run: this program was disposed of");
    if (times === 0) return;
    // At once, before anything else is recorded: what is recorded from now on means the elements after the run.
    const handovers = [...this.#leaves, ...this.#outputs].flatMap(({ tensor, home, written }) => {
      const from = home.owner, moved = tensor.value === from ? null : tensor.value;
      if (!written && !moved) return [];
      const to = new Value(from.shape, from.dtype);
      tensor.rebind(to);
      settle(tensor);
      home.owner = to;
      return [{ home, from, to, moved }];
    });
    await inTurn(async () => {
      const gpu = await requestGpu();
      const step = await this.#built(gpu);
      await handOver(gpu, handovers);
      await step.run(times);
    });
  }

  /** The number of kernels that one step runs. */
  dispatches(): Promise<number> {
    return inTurn(async () => (await this.#built(await requestGpu())).dispatches);
  }

  async #built(gpu: Gpu): Promise<StepProgram> {
    if (this.#step) return this.#step;
    // A leaf may itself be the result of something that is not computed yet.
    const homeless = this.#leaves.filter(({ home }) => !home.storage);
    const known = [...this.#leaves.map(({ leaf }) => leaf), ...homeless.map(({ home }) => home.origin)];
    await evaluate(gpu, known.filter((value) => value.node || value.host), RULES);
    for (const { home } of homeless) home.storage ??= upload(gpu, home.origin);
    const places = new Map(this.#leaves.map(({ leaf, home }) => [leaf, home.storage!]));
    this.#step = new StepProgram(gpu, this.#outputs.map(({ leaf }) => leaf), this.#updates, places, RULES);
    this.#outputs.forEach(({ leaf, home }, i) => {
      leaf.storage = home.storage = this.#step!.outputs[i]!;
      leaf.node = null; // From here on it is what the program wrote.
    });
    return this.#step;
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

async function handOver(gpu: Gpu, handovers: readonly Handover[]): Promise<void> {
  const moved = handovers.flatMap((one) => one.moved ?? []);
  if (moved.length > 0) await evaluate(gpu, moved, RULES);
  const saves: { from: Storage; to: Storage }[] = [], moves: { from: Storage; to: Storage }[] = [];
  for (const { home, from, to, moved } of handovers) {
    const storage = to.storage = home.storage!, copy = from.read ? allocateStorage(gpu, storage.size) : null;
    if (copy) saves.push({ from: storage, to: copy });
    from.storage = copy;
    copy?.block.release(); // Held by the value now.
    if (moved) moves.push({ from: moved.storage!, to: storage });
  }
  if (saves.length + moves.length > 0) submit(gpu, [...saves, ...moves]);
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
      if (holder && (!input.node || homes.has(holder))) used.set(holder, input);
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
