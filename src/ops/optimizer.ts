/**
 * Ops on all tensors of a parameter group at once: the updates of optimizers, which change parameters, their states and
 * gradients in place. The tensors of a kind are packed in one block of memory, so that one kernel treats them as one array.
 *
 * @module
 */
import { shader } from "../../shaders/mod.ts";
import { align, ALIGNMENT, type Storage } from "../backend/memory.ts";
import type { Constants, Kernel } from "../wgsl/specialize.ts";
import { UNIFORM_BYTES } from "../wgsl/uniforms.ts";
import { constant, type Dispatch, type Op, record, type Target, type Value } from "../graph/node.ts";
import { apply } from "./elementwise/elementwise.ts";
import { reduce } from "./reduce/reduce.ts";
import { linearGrid } from "./shape/shape.ts";

const clipKernel = shader("optim/clip_grad.wgsl");
const normKernel = shader("optim/grad_norm.wgsl");

/** A kernel that changes the tensors of a group. */
export interface Change {
  /** The op's name in messages, such as "adam". */
  readonly name: string;
  readonly kernel: Kernel;
  readonly constants: Constants;
  /** On software drivers, overwritten tensors are read from copies, since loads from uniform buffers are cheap there. */
  readonly readsCopies?: boolean;
}

/** Kinds of tensors: the same number of each kind, with the same shapes. */
type Kinds = readonly (readonly Value[])[];

interface ChangeAttrs extends Change {
  /** The number of tensors of each kind. */
  readonly count: number;
  /** For each kind, whether it is overwritten. */
  readonly writes: readonly boolean[];
  /** The number of tables, which are the last inputs: they have an entry for each `ALIGNMENT` bytes of packed tensors. */
  readonly tables: number;
}

const range = (from: number, count: number) => Array.from({ length: count }, (_, i) => from + i);

/** The indices of the inputs of each kind. */
const kindsOf = ({ count, writes }: ChangeAttrs) => writes.map((_, kind) => range(kind * count, count));
const written = (attrs: ChangeAttrs) => kindsOf(attrs).filter((_, kind) => attrs.writes[kind]).flat();

/** The ops whose outputs are packed: a change for each name, and `normOp`. */
const changeOps = new Map<string, Op<ChangeAttrs>>(), packing = new WeakSet<Op>();

/** Whether `value` is packed: an op of this file computes it, in the same run if it is pending. */
const isPacked = ({ node }: Value) => node !== null && packing.has(node.op);

/** Inputs: the kinds, one after the other, then the tensors that all invocations read, and the tables. */
const changeOp = (name: string): Op<ChangeAttrs> => ({
  name,
  outputs: (inputs, attrs) => written(attrs).map((i) => inputs[i]!),
  overwrites: ({ attrs }) => written(attrs),
  packs: ({ inputs, attrs }) =>
    kindsOf(attrs).filter((kind, k) => {
      const values = kind.map((i) => inputs[i]!);
      if (attrs.writes[k]) return !values.every((one) => isPacked(one) && one.pending);
      return !values.every((one) => isPacked(one) || one.node === null);
    }),
  dispatches({ inputs, outputs, attrs }, target) {
    const { count, writes, kernel, constants, readsCopies = false, tables } = attrs;
    const others = inputs.slice(writes.length * count).map(target.place), shared = others.length - tables;
    const changed = outputs.values();
    // Of overwritten tensors, the outputs are bound: they may be copies of the inputs.
    const kinds = kindsOf(attrs).map((kind, k) => kind.map((i) => writes[k] ? changed.next().value! : inputs[i]!));
    return chunksOf(kinds, target).map((chunk): Dispatch => {
      const { storages } = chunk, size = Math.ceil(storages[0]!.size / 16), { first, slice } = entriesOf(chunk);
      const old = readsCopies && target.profile.readsApart ? storages.filter((_, kind) => writes[kind]) : [];
      return {
        kernel,
        constants: {
          ...constants,
          SIZE: size,
          ...(readsCopies ? { APART: target.profile.readsApart ? 1 : 0 } : {}),
          ...(tables > 0 ? { FIRST: first } : {}),
        },
        bindings: [...storages, ...others.slice(0, shared), ...others.slice(shared).map(slice), ...old],
        grid: linearGrid(size, 256),
      };
    });
  },
});

/** Contiguous tensors of each kind, which one dispatch changes. */
interface Chunk {
  /** One for each kind. */
  readonly storages: readonly Storage[];
  /** The offset of the first in the packed order, in units of `ALIGNMENT` bytes. */
  readonly unit: number;
}

/** The slice of a table with a chunk's entries, which begins where a buffer can be bound, and the index of the first in it. */
function entriesOf({ storages, unit }: Chunk): { first: number; slice: (table: Storage) => Storage } {
  const first = unit % (ALIGNMENT / 4), offset = (unit - first) * 4;
  const size = (first + Math.ceil(storages[0]!.size / ALIGNMENT)) * 4;
  return { first, slice: (table) => ({ block: table.block, offset: table.offset + offset, size }) };
}

const unitsOf = (values: readonly Value[]) => values.map(({ bytes }) => align(bytes) / ALIGNMENT);

/** A chunk for each run of tensors that are contiguous in every kind; on software drivers, chunks fit in uniform buffers. */
function chunksOf(kinds: Kinds, { place, profile }: Target): Chunk[] {
  const storages = kinds.map((kind) => kind.map(place)), units = unitsOf(kinds[0]!);
  const runs: { first: number; end: number; unit: number }[] = [];
  let unit = 0;
  units.forEach((size, i) => {
    const last = runs.at(-1);
    const follows = last && storages.every((kind) => {
      const before = kind[i - 1]!, here = kind[i]!;
      return here.block === before.block && here.offset === before.offset + align(before.size);
    });
    if (follows) last.end = i + 1;
    else runs.push({ first: i, end: i + 1, unit });
    unit += size;
  });
  const chunks = runs.map(({ first, end, unit }): Chunk => ({
    unit,
    storages: storages.map((kind) => {
      const { block, offset } = kind[first]!, last = kind[end - 1]!;
      return { block, offset, size: last.offset + last.size - offset };
    }),
  }));
  return profile.uniformBytes > 0 ? chunks.flatMap(uniformChunks) : chunks;
}

/** Chunks of at most the size of a uniform buffer. */
function uniformChunks({ storages, unit }: Chunk): Chunk[] {
  const { size } = storages[0]!;
  return range(0, Math.ceil(size / UNIFORM_BYTES)).map((i) => ({
    unit: unit + i * UNIFORM_BYTES / ALIGNMENT,
    storages: storages.map(({ block, offset }) => ({
      block,
      offset: offset + i * UNIFORM_BYTES,
      size: Math.min(size - i * UNIFORM_BYTES, UNIFORM_BYTES),
    })),
  }));
}

/** A table with an entry for each unit of `values`, packed. @param entry of a tensor's index, and of a unit within it. */
function table(values: readonly Value[], entry: (i: number, unit: number) => number): Value {
  const units = unitsOf(values), entries = new Uint32Array(units.reduce((sum, count) => sum + count));
  let at = 0;
  units.forEach((count, i) => {
    for (let unit = 0; unit < count; unit++) entries[at++] = entry(i, unit);
  });
  return constant(entries, [entries.length]);
}

/**
 * The tensors of the kinds that are overwritten, after `change`.
 *
 * @param kinds the tensors that the kernel binds first, by kind; they are overwritten where `writes`.
 * @param others the tensors that it binds after those.
 */
export function change(
  change: Change,
  kinds: readonly { readonly values: readonly Value[]; readonly writes: boolean }[],
  others: readonly Value[],
  tables: readonly Value[] = [],
): readonly Value[] {
  const { name } = change, op = changeOps.get(name) ?? changeOp(name);
  changeOps.set(name, op);
  packing.add(op as Op);
  return record(op, [...kinds.flatMap(({ values }) => values), ...others, ...tables], {
    ...change,
    count: kinds[0]!.values.length,
    writes: kinds.map(({ writes }) => writes),
    tables: tables.length,
  });
}

// --- steps of optimizers ---------------------------------------------------------------------------------------------

/** The update of an optimizer, for one set of options. */
export interface Update {
  /** The states of a parameter by name, with the initial value of their elements. */
  readonly states: Readonly<Record<string, number>>;
  readonly change: Change;
  /** For updates with scalars that depend on the number of steps; otherwise null. */
  readonly counting: Counting | null;
}

/** The scalars of an update that depend on the number of steps. */
export interface Counting {
  /** It has the function `scalars_of`. */
  readonly kernel: Kernel;
  readonly constants: Constants;
  /** Up to three numbers between 0 and 1 whose powers the scalars are computed from. */
  readonly decays: readonly number[];
  /** The optimizer keeps a product of one factor for each step. */
  readonly product: boolean;
}

/** An optimizer whose file has the functions `update` and, with `decays`, `scalars_of`. */
export interface Formula extends Pick<Update, "states">, Pick<Change, "name" | "kernel" | "constants"> {
  readonly weightDecay?: number;
  /** The weight decay is subtracted from the parameters, not added to the gradients. */
  readonly decoupled?: boolean;
  readonly maximize?: boolean;
  readonly decays?: readonly number[];
  readonly product?: boolean;
}

/** The kernel `frame` with its functions replaced by those of `formula`. */
const withFormula = (frame: Kernel, formula: Kernel): Kernel => ({
  file: `${frame.file}+${formula.file}`,
  source: frame.source,
  includes: { ...frame.includes, "optim/formula.wgsl": formula },
});

/** The update that a formula describes. */
export function updateOf({ name, kernel, constants, states, ...formula }: Formula): Update {
  const { weightDecay = 0, decoupled = false, maximize = false, decays, product = false } = formula;
  const change = {
    name,
    kernel: withFormula(shader("optim/optimizer_update.wgsl"), kernel),
    constants: {
      ...constants,
      STATES: Object.keys(states).length,
      WEIGHT_DECAY: weightDecay,
      DECOUPLED: decoupled && weightDecay !== 0,
      MAXIMIZE: maximize,
      COUNTED: decays ? 1 : 0,
    },
    readsCopies: true,
  };
  return { states, change, counting: decays ? { kernel, constants, decays, product } : null };
}

/**
 * Inputs: the steps u32 [n], the learning rate [1], the indices of the parameters that take a step, and the products [n]
 * if there are any.
 */
const countOp: Op<Counting> = {
  name: "countStep",
  outputs: ([steps, , , products]) => [
    steps!,
    ...(products ? [products] : []),
    { shape: [steps!.size, 4], dtype: "f32" },
  ],
  overwrites: ({ attrs: { product } }) => product ? [0, 3] : [0],
  dispatches: ({ inputs, outputs, attrs: { kernel, constants, decays, product } }) => [{
    kernel: withFormula(shader("optim/optimizer_scalars.wgsl"), kernel),
    constants: {
      ...constants,
      COUNT: inputs[2]!.size,
      // A power of 0 is 0; so is one of the smallest number.
      DECAYS: range(0, 3).map((i) => Math.log(Math.max(decays[i] ?? 1, Number.MIN_VALUE))),
      PRODUCT: product,
    },
    // Of overwritten tensors, the outputs are bound: they may be copies of the inputs.
    bindings: [outputs[0]!, ...inputs.slice(1, 3), ...outputs.slice(1)],
    grid: linearGrid(inputs[2]!.size),
  }],
};

/**
 * Counts a step of the parameters whose indices in the group are `active`. Returns the counts after it, the products if the
 * optimizer keeps any, and the scalars of the update [n, 4].
 */
export function countStep(
  counting: Counting,
  active: readonly number[],
  rate: Value,
  steps: Value,
  products: Value | null,
): readonly Value[] {
  const numbers = constant(Uint32Array.from(active), [active.length]);
  return record(countOp, [steps, rate, numbers, ...(products ? [products] : [])], counting);
}

/** The table by which the update finds the scalars of each of `values`, whose indices in the group are `active`. */
export function ownersOf(values: readonly Value[], active: readonly number[]): Value {
  return table(values, (i) => active[i]!);
}

// --- gradients -------------------------------------------------------------------------------------------------------

/**
 * Inputs: the gradients, and the number of elements in each unit of them. Outputs: the gradients, packed, and the sum of
 * squares, or the largest magnitude, of each unit: partial results, which `reduce` adds up.
 */
const normOp: Op<{ readonly largest: boolean }> = {
  name: "gradNorm",
  outputs: (inputs) => [...inputs.slice(0, -1), { shape: inputs.at(-1)!.shape, dtype: "f32" }],
  overwrites: ({ inputs }) => range(0, inputs.length - 1),
  packs: ({ inputs }) => [range(0, inputs.length - 1)],
  dispatches({ inputs, outputs, attrs: { largest } }, target) {
    const tables = [inputs.at(-1)!, outputs.at(-1)!].map(target.place);
    return chunksOf([outputs.slice(0, -1)], target).map((chunk): Dispatch => {
      const [g] = chunk.storages, size = Math.ceil(g!.size / 16), { first, slice } = entriesOf(chunk);
      return {
        kernel: normKernel,
        constants: { SIZE: size, FIRST: first, LARGEST: largest },
        bindings: [g!, ...tables.map(slice)],
        grid: linearGrid(Math.ceil(size / 16)),
      };
    });
  },
};
packing.add(normOp as Op);

/**
 * The norm [] of all gradients together, which is the root of the sum of squares or the largest magnitude; and the
 * gradients.
 */
export function gradNorm(gradients: readonly Value[], largest: boolean): { norm: Value; gradients: readonly Value[] } {
  const perUnit = ALIGNMENT / 4;
  const filled = table(gradients, (i, unit) => Math.min(perUnit, gradients[i]!.size - unit * perUnit));
  const outputs = record(normOp, [...gradients, filled], { largest }), norms = outputs.at(-1)!;
  const all = reduce(largest ? "max" : "sum", norms, undefined, false);
  return { norm: largest ? all : apply("sqrt", all), gradients: outputs.slice(0, -1) };
}

/** The gradients, scaled down so that `norm` is at most `most`; without a norm, each element clamped to ±most. */
export function clipGradients(gradients: readonly Value[], most: number, norm: Value | null): readonly Value[] {
  const clip = { name: "clipGradients", kernel: clipKernel, constants: { MOST: most, BY_NORM: norm !== null } };
  return change(clip, [{ values: gradients, writes: true }], norm ? [norm] : []);
}
