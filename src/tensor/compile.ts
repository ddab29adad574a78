/**
 * `compile()`: records a step once and returns the program that replays it.
 *
 * @module
 */
import { ShapeError } from "../errors.ts";
import { type Gpu, requestGpu } from "../gpu/device.ts";
import { allocateStorage, type Storage } from "../gpu/memory.ts";
import { type Copy, submit } from "../graph/commands.ts";
import { upload } from "../graph/leaves.ts";
import { nextId, Value, withoutReads } from "../graph/node.ts";
import { evaluate, StepProgram, type Update } from "../graph/program.ts";
import { snapshot } from "../graph/rewrite.ts";
import { RULES } from "../ops/fuse.ts";
import { alias } from "../ops/shape.ts";
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
  /** The value that stands for it in the step. */
  readonly leaf: Value;
  /** The step writes it. */
  readonly written: boolean;
}

/** What a run must see to first: the storage of a home passes on to a new value. */
interface Handover {
  readonly home: Home;
  /** Gives the storage up. It gets a copy if something outside of programs reads it. */
  readonly from: Value;
  readonly to: Value;
  /** The tensor's elements at the time, if they are not those of `from`. */
  readonly moved: Value | null;
}

/** What `compile()` found in a step. */
interface Recording {
  /** The tensors that the step returns, with the values that the step computes for them. */
  readonly outputs: readonly { readonly tensor: Tensor; readonly value: Value }[];
  readonly updates: readonly Update[];
  /** The tensors made before the step that it reads or changes, with the values that they then had. */
  readonly used: ReadonlyMap<Tensor, Value>;
  /** Values made before the step that it reads, and no tensor holds. */
  readonly others: readonly Value[];
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
  readonly #others: readonly Value[];
  #step: StepProgram | null = null;
  #disposed = false;

  /** Made by `compile()`. @param result what the step returned. */
  constructor(readonly result: T, { outputs, updates, used, others }: Recording) {
    const changed = new Set(updates.map(({ leaf }) => leaf));
    this.#updates = updates;
    this.#others = others;
    this.#leaves = Array.from(
      used,
      ([tensor, leaf]) => ({ tensor, home: homeOf(tensor), leaf, written: changed.has(leaf) }),
    );
    this.#outputs = outputs.filter(({ tensor }) => !used.has(tensor))
      .map(({ tensor, value }) => ({ tensor, home: homeOf(tensor), leaf: value, written: true }));
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
      try {
        const gpu = await requestGpu();
        const step = await this.#built(gpu);
        await handOver(gpu, handovers);
        await step.run(times);
      } catch (error) {
        handovers.forEach(takeBack);
        throw error;
      }
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
    const known = [
      ...this.#leaves.map(({ leaf }) => leaf),
      ...homeless.map(({ home }) => home.origin),
      ...this.#others,
    ];
    await evaluate(gpu, known.filter((value) => value.node || value.host), RULES);
    const places = new Map(this.#leaves.map(({ leaf, home }) => [leaf, home.storage ?? upload(gpu, home.origin)]));
    this.#step = new StepProgram(gpu, this.#outputs.map(({ leaf }) => leaf), this.#updates, places, RULES);
    for (const { leaf, home } of this.#leaves) home.storage = places.get(leaf)!;
    this.#outputs.forEach(({ home }, i) => home.storage = this.#step!.outputs[i]!);
    return this.#step;
  }

  /** Gives the memory of the step's intermediates back. The program cannot run any more. */
  async dispose(): Promise<void> {
    if (this.#disposed) return;
    this.#disposed = true;
    await inTurn(() => {
      this.#step?.dispose();
      return Promise.resolve();
    });
  }
}

async function handOver(gpu: Gpu, handovers: readonly Handover[]): Promise<void> {
  const moved = handovers.flatMap((one) => one.moved ?? []);
  if (moved.length > 0) await evaluate(gpu, moved, RULES);
  const saves: Copy[] = [], moves: Copy[] = [];
  for (const { home, from, to, moved } of handovers) {
    const storage = home.storage!,
      owned = from.storage?.block === storage.block && from.storage.offset === storage.offset;
    to.storage = storage; // Before it is given up, so that it is never free.
    if (owned && from.read) {
      const copy = allocateStorage(gpu, storage.size);
      saves.push({ from: storage, to: copy });
      from.storage = copy;
      copy.block.release(); // Held by the value now.
    } else if (owned) {
      from.storage = null;
    }
    if (moved) moves.push({ from: moved.storage!, to: storage });
  }
  if (saves.length + moves.length > 0) submit(gpu, [...saves, ...moves]);
}

/** After a failed run: where the elements did not reach their new value, it stands for the old ones. */
function takeBack({ home, from, to, moved }: Handover): void {
  if (to.storage) return;
  to.node = alias(moved ?? from).node;
  if (home.owner === to) home.owner = from;
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
  const start = nextId(), outer = (value: Value) => value.id < start;
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
  let result: T, tensors: readonly Tensor[] = [], after: readonly Value[] = [];
  const changed: { tensor: Tensor; leaf: Value; value: Value }[] = [];
  try {
    result = withoutReads(() => watch(watcher, fn));
    if (result instanceof Promise) {
      result.catch(() => {});
      throw new ShapeError("compile: the step must not be async: what it records after an await is not part of it");
    }
    tensors = tensorsIn(result);
    after = tensors.map(({ value }) => value);
  } finally {
    for (const [tensor, { value: leaf, grad }] of before) {
      settle(tensor);
      // A tensor made in the step is made anew by each step.
      if (tensor.value !== leaf && outer(leaf)) {
        changed.push({ tensor, leaf, value: tensor.value });
        tensor.rebind(leaf);
      }
      tensor.grad = grad;
    }
  }
  const { targets, leaves } = snapshot([...after, ...changed.map(({ value }) => value)], outer);
  const used = new Map(changed.map(({ tensor, leaf }) => [tensor, leaf]));
  const others: Value[] = [];
  for (const leaf of leaves) {
    const holder = holders.get(leaf);
    if (!holder) others.push(leaf);
    else if (!used.has(holder)) used.set(holder, leaf);
  }
  return new Program(result, {
    outputs: tensors.map((tensor, i) => ({ tensor, value: targets[i]! })),
    updates: changed.map(({ leaf }, i) => ({ leaf, value: targets[after.length + i]! })),
    used,
    others,
  });
}

/** The tensors in `result`: itself, or the items of an array, or the values of an object. */
function tensorsIn(result: unknown): Tensor[] {
  if (result instanceof Tensor) return [result];
  const items = Array.isArray(result) ? result : result && typeof result === "object" ? Object.values(result) : [];
  return items.filter((item) => item instanceof Tensor);
}
