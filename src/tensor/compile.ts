/**
 * `compile()`: records a step once and returns the program that replays it.
 *
 * @module
 */
import { ShapeError } from "../errors.ts";
import type { Backend, Copy, DispatchTime } from "../backend/backend.ts";
import type { Storage } from "../backend/memory.ts";
import { requestBackend } from "../backend/request.ts";
import { Value } from "../graph/node.ts";
import { StepProgram } from "../graph/program.ts";
import { recorder, withoutReads } from "../graph/recorder.ts";
import { snapshot } from "../graph/rewrite.ts";
import { alias } from "../ops/shape/view.ts";
import { type Checks, checksOf, compute, rulesFor } from "./anomaly.ts";
import type { Handle } from "./handle.ts";
import { inTurn, settle } from "./realize.ts";
import { Tensor } from "./tensor.ts";
import { holders, watch, watcher } from "./watch.ts";

/** Where programs find a tensor. All programs that use a tensor share its home, so that none has to copy it. */
interface Home {
  /** Null until a program first needs it. */
  storage: Storage | null;
  /** The value whose elements the home holds. Changes as runs take place. */
  holder: Value;
  /** The value whose elements it will hold after all runs that were asked for. Changes as runs are asked for. */
  owner: Value;
  /** The value whose elements belong here and did not arrive, because a run failed. */
  missing: Value | null;
}

const homes = new WeakMap<Tensor, Home>();

function homeOf(tensor: Tensor): Home {
  let home = homes.get(tensor);
  if (!home) homes.set(tensor, home = { storage: null, holder: tensor.value, owner: tensor.value, missing: null });
  return home;
}

/** A tensor that the step reads, changes or returns. */
interface Slot {
  readonly tensor: Tensor;
  readonly home: Home;
  /** What stands for it in the step: a leaf, or what the step computes for it. */
  readonly value: Value;
  /** The step writes it. */
  readonly written: boolean;
}

/** What a run must do first: the storage of a home passes on to a new value. */
interface Handover {
  readonly home: Home;
  readonly to: Value;
  /** The tensor's value at the time, if the home will hold the elements of another by then. */
  readonly moved: Value | null;
}

/** What `compile()` found in a step. */
interface Recording {
  /** The tensors that the step returns, with the values that the step computes for them. */
  readonly outputs: readonly { readonly tensor: Tensor; readonly value: Value }[];
  /** The tensors that the step changes, with the values that they end with. */
  readonly changes: ReadonlyMap<Tensor, Value>;
  /** The tensors made before the step that it reads or changes, with the leaves that stand for them. */
  readonly used: ReadonlyMap<Tensor, Value>;
  /** Values made before the step that it reads, and no tensor holds. */
  readonly others: readonly Value[];
}

/**
 * A step that was recorded once. Each run reads the tensors that the step used as they then are, and changes in place
 * those that the step changed. The tensors that the step returned hold the elements of the last run. What was recorded
 * from any of them before a run keeps the elements from before that run.
 */
export class Program<T = unknown> {
  readonly #leaves: readonly Slot[];
  readonly #outputs: readonly Slot[];
  readonly #changes: ReadonlyMap<Tensor, Value>;
  readonly #others: readonly Value[];
  #step: StepProgram | null = null;
  /** Of the step, where it was recorded in anomaly mode. */
  #checks: Checks | null = null;
  #disposed = false;

  /** Made by `compile()`. @param result what the step returned. */
  constructor(readonly result: T, { outputs, changes, used, others }: Recording) {
    this.#changes = changes;
    this.#others = others;
    const slot = (tensor: Tensor, value: Value, written: boolean) => ({ tensor, home: homeOf(tensor), value, written });
    this.#leaves = Array.from(used, ([tensor, leaf]) => slot(tensor, leaf, changes.has(tensor)));
    const made = new Map(outputs.map(({ tensor, value }) => [tensor, value]));
    this.#outputs = [...made].filter(([tensor]) => !used.has(tensor)).map(([tensor, value]) =>
      slot(tensor, value, true)
    );
  }

  /**
   * Submits `times` steps (default 1) and returns without waiting for the device; reads wait for it. In a long run timers
   * and other events get their turn now and then. Steps recorded in anomaly mode are waited for one by one, and end with
   * the one that makes NaN or an infinity.
   *
   * @throws {GpuError} each time, if a kernel does not compile.
   * @throws {TrainingError} in anomaly mode (see `setDetectAnomaly`).
   */
  async run(times = 1): Promise<void> {
    if (!Number.isInteger(times) || times < 0) throw new ShapeError(`run: ${times} is no number of steps`);
    this.#check();
    if (times === 0) return;
    await this.#perform(async (step, backend) => {
      if (!this.#checks) return await step.run(times);
      for (let i = 1; i <= times; i++) {
        await step.run(1);
        await this.#checks.verify(backend, step.storages.at(-1)!, i, times);
      }
    });
  }

  /** Runs `steps` steps (default 10), slowly, and resolves with the time of each dispatch by the device's clock. */
  profile(steps = 10): Promise<DispatchTime[]> {
    return this.#perform((step) => step.profile(steps));
  }

  /** Throws where no step can run now. */
  #check(): void {
    if (this.#disposed) throw new ShapeError("run: this program was disposed of");
    if (watcher()) throw new ShapeError("run: a program cannot be part of a step that is being recorded");
  }

  async #perform<R>(action: (step: StepProgram, backend: Backend) => Promise<R>): Promise<R> {
    this.#check();
    const slots = [...this.#leaves, ...this.#outputs];
    for (const { tensor } of slots) tensor.value; // Throws where one was disposed of, before anything is changed.
    // At once, before anything else is recorded: what is recorded from now on reads the elements after the run.
    const handovers = slots.flatMap(({ tensor, home, written }) => {
      const { value } = tensor, moved = value === home.owner ? null : value;
      if (!written && !moved) return [];
      const to = new Value(value.shape, value.dtype);
      tensor.rebind(to);
      settle(tensor);
      home.owner = to;
      return [{ home, to, moved }];
    });
    return await inTurn(async () => {
      try {
        const backend = await requestBackend(), step = await this.#built(backend);
        this.#outputs.forEach(({ home }, i) => home.storage ??= step.storages[i]!);
        await handOver(backend, handovers);
        return await action(step, backend);
      } catch (error) {
        handovers.forEach(takeBack);
        throw error;
      }
    });
  }

  /** The number of kernels that one step runs. */
  dispatches(): Promise<number> {
    return inTurn(async () => (await this.#built(await requestBackend())).dispatches);
  }

  /** The bytes that the step's intermediates take, gradients among them. `backend` may be one on paper: nothing is computed. */
  footprint(backend: Backend): number {
    const storages = new Map(this.#leaves.map(({ value }) => [value, backend.allocateStorage(value.bytes)]));
    const ends = new Map(this.#leaves.map(({ tensor, value }) => [tensor, storages.get(value)!]));
    const changed = this.#leaves.flatMap(({ value, written }) => written ? [value] : []);
    const results = [
      ...this.#outputs.map(({ value }) => ({ value, end: null })),
      ...Array.from(this.#changes, ([tensor, value]) => ({ value, end: ends.get(tensor) ?? null })),
    ];
    const before = backend.counters.bytesLive;
    // Values that other programs may share must not be uploaded to `backend`: those programs would look for them there.
    const open = results.map(({ value }) => value), seen = new Set<Value>(storages.keys());
    for (let value = open.pop(); value; value = open.pop()) {
      if (seen.has(value)) continue;
      seen.add(value);
      if (value.pending) open.push(...value.node!.inputs);
      else storages.set(value, backend.allocateStorage(value.bytes));
    }
    const step = new StepProgram(backend, results, storages, new Set(changed), rulesFor(null));
    const bytes = backend.counters.bytesLive - before;
    step.dispose();
    for (const { block } of storages.values()) block.release();
    return bytes;
  }

  /** Plans the step anew when it runs next, with the kernels that are selected by then. */
  replan(): Promise<void> {
    return inTurn(() => {
      this.#step?.dispose();
      this.#step = null;
      return Promise.resolve();
    });
  }

  async #built(backend: Backend): Promise<StepProgram> {
    // Another program may have given a result of this one a home since.
    const fits = this.#outputs.every(({ home }, i) => !home.storage || home.storage === this.#step?.storages[i]);
    if (this.#step && fits) return this.#step;
    this.#step?.dispose();
    this.#step = null;
    const homeless = this.#leaves.filter(({ home }) => !home.storage).map(({ home }) => home.holder);
    await compute(backend, [...homeless, ...this.#others]);
    for (const { home } of this.#leaves) home.storage ??= home.holder.storage!;
    const storages = new Map(this.#leaves.map(({ value, home }) => [value, home.storage!]));
    const changed = new Set(this.#leaves.flatMap(({ value, written }) => written ? [value] : []));
    const results = [
      ...this.#outputs.map(({ value, home }) => ({ value, end: home.storage })),
      ...Array.from(this.#changes, ([tensor, value]) => ({ value, end: homeOf(tensor).storage })),
    ];
    this.#checks = checksOf(results.map(({ value }) => value), (value) => storages.has(value));
    if (this.#checks) results.push({ value: this.#checks.flags, end: null });
    return this.#step = new StepProgram(backend, results, storages, changed, rulesFor(this.#checks));
  }

  /** Frees the memory of the step's intermediates. The program cannot run any more. */
  async dispose(): Promise<void> {
    if (this.#disposed) return;
    this.#disposed = true;
    await inTurn(() => {
      this.#step?.dispose();
      return Promise.resolve();
    });
  }
}

async function handOver(backend: Backend, handovers: readonly Handover[]): Promise<void> {
  // Computed while nothing has moved yet: the values that move in, and those that move out and are still read.
  const arrivals = handovers.map(({ home, moved }) => moved ?? home.missing);
  const leaving = handovers.flatMap(({ home: { holder } }) => holder.read && holder.pending ? [holder] : []);
  await compute(backend, [...arrivals.flatMap((one) => one ?? []), ...leaving]);
  const saves: Copy[] = [], moves: Copy[] = [];
  handovers.forEach(({ home, to }, i) => {
    const storage = home.storage!, { holder } = home, arrival = arrivals[i];
    to.storage = storage; // Before the holder gives it up, so that it is never free.
    const owned = holder.storage?.block === storage.block && holder.storage.offset === storage.offset;
    if (owned && holder.read) {
      const copy = backend.allocateStorage(storage.size);
      saves.push({ from: storage, to: copy });
      holder.storage = copy;
      copy.block.release(); // Held by the value now.
    } else if (owned) {
      holder.storage = null;
    }
    if (arrival) moves.push({ from: arrival.storage!, to: storage });
    home.holder = to;
    home.missing = null;
  });
  if (saves.length + moves.length > 0) await backend.program([...saves, ...moves]).run();
}

/** After a failed run: a value that got no elements stands for the ones from before the run. */
function takeBack({ home, to, moved }: Handover): void {
  if (to.storage) return;
  home.missing = moved ?? home.missing;
  to.node = alias(home.missing ?? home.holder).node;
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
  const start = recorder.nextId, outer = (value: Value) => value.id < start;
  const before = new Map<Tensor, { value: Value; grad: Tensor | null }>();
  // Tensors are the only handles.
  const watcher = {
    changes(handle: Handle) {
      const tensor = handle as Tensor;
      if (!before.has(tensor)) before.set(tensor, { value: tensor.value, grad: tensor.grad });
    },
    accumulates(handle: Handle) {
      if (before.has(handle as Tensor)) return;
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
  const used = new Map<Tensor, Value>(), others: Value[] = [];
  const leafFor = (value: Value) => {
    const holder = holders.get(value) as Tensor | undefined;
    if (!holder?.holds(value)) {
      value.read = true; // It stays as it is.
      others.push(value);
      return value;
    }
    const leaf = new Value(value.shape, value.dtype);
    used.set(holder, leaf);
    return leaf;
  };
  const targets = snapshot([...after, ...changed.flatMap(({ value, leaf }) => [value, leaf])], outer, leafFor);
  return new Program(result, {
    outputs: tensors.map((tensor, i) => ({ tensor, value: targets[i]! })),
    changes: new Map(changed.map(({ tensor }, i) => [tensor, targets[after.length + 2 * i]!])),
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
