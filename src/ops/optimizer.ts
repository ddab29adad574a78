/**
 * Ops on all tensors of a group at once: what optimizers do to parameters, their states and gradients. The tensors of a
 * kind are packed, in one block, so that one kernel treats them as one array and updates them where they lie.
 *
 * @module
 */
import { shader } from "../../shaders/mod.ts";
import type { Storage } from "../backend/webgpu/memory.ts";
import { align, ALIGNMENT } from "../backend/webgpu/memory.ts";
import type { Constants, Kernel } from "../wgsl/specialize.ts";
import { UNIFORM_BYTES } from "../wgsl/uniforms.ts";
import { constant, type Dispatch, type Op, record, type Target, type Value } from "../graph/node.ts";
import { apply } from "./elementwise.ts";
import { reduce } from "./reduce.ts";
import { linearGrid } from "./shape.ts";

const clipKernel = shader("optim/clip_grad.wgsl");
const normKernel = shader("optim/grad_norm.wgsl");

/** What happens to the tensors of a group. */
export interface Change {
  /** The op's name in messages: what does it, such as "adam". */
  readonly name: string;
  readonly kernel: Kernel;
  readonly constants: Constants;
  /** On software drivers, what is overwritten is read from copies of it: loads from uniform buffers are cheap there. */
  readonly apart?: boolean;
}

/** Kinds of tensors: of each kind as many, of the same shapes. */
type Kinds = readonly (readonly Value[])[];

interface ChangeAttrs extends Change {
  /** Tensors of each kind. */
  readonly count: number;
  /** For each kind, whether it is overwritten. */
  readonly writes: readonly boolean[];
  /** The last inputs, so many, have an entry for each `ALIGNMENT` bytes of the packed tensors. */
  readonly tables: number;
}

const range = (from: number, count: number) => Array.from({ length: count }, (_, i) => from + i);

/** The numbers of the inputs of each kind. */
const kindsOf = ({ count, writes }: ChangeAttrs) => writes.map((_, kind) => range(kind * count, count));
const written = (attrs: ChangeAttrs) => kindsOf(attrs).filter((_, kind) => attrs.writes[kind]).flat();

/** The ops of this file that leave tensors packed: one of changes for each name, and `normOp`. */
const changeOps = new Map<string, Op<ChangeAttrs>>(), packing = new WeakSet<Op>();

/** Whether `value` lies packed: an op of this file has made it. It is made in the same run if it is pending. */
const isPacked = ({ node }: Value) => node !== null && packing.has(node.op);

/** Inputs: the kinds, one after the other, then what all of a kernel's invocations read, and its tables. */
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
    const { count, writes, kernel, constants, apart = false, tables } = attrs;
    const others = inputs.slice(writes.length * count).map(target.place), shared = others.length - tables;
    const changed = outputs.values();
    // What is overwritten may be a copy: the output, not the input.
    const kinds = kindsOf(attrs).map((kind, k) => kind.map((i) => writes[k] ? changed.next().value! : inputs[i]!));
    return deal(kinds, target).map((part): Dispatch => {
      const { storages } = part, size = Math.ceil(storages[0]!.size / 16), { first, cut } = entriesOf(part);
      const old = apart && target.profile.readsApart ? storages.filter((_, kind) => writes[kind]) : [];
      return {
        kernel,
        constants: {
          ...constants,
          SIZE: size,
          ...(apart ? { APART: target.profile.readsApart ? 1 : 0 } : {}),
          ...(tables > 0 ? { FIRST: first } : {}),
        },
        bindings: [...storages, ...others.slice(0, shared), ...others.slice(shared).map(cut), ...old],
        grid: linearGrid(size, 256),
      };
    });
  },
});

/**
 * Tensors of several kinds that lie together, and where they begin in the packed order, in units of `ALIGNMENT` bytes.
 */
interface Part {
  readonly storages: readonly Storage[];
  readonly unit: number;
}

/** A part's entries of a table: cut out from where a buffer may be bound, and the number of the first from there. */
function entriesOf({ storages, unit }: Part): { first: number; cut: (table: Storage) => Storage } {
  const first = unit % (ALIGNMENT / 4), offset = (unit - first) * 4;
  const size = (first + Math.ceil(storages[0]!.size / ALIGNMENT)) * 4;
  return { first, cut: (table) => ({ block: table.block, offset: table.offset + offset, size }) };
}

const unitsOf = (values: readonly Value[]) => values.map(({ bytes }) => align(bytes) / ALIGNMENT);

/** One part for each run of tensors that follow each other in every kind; on software drivers, such as fit uniforms. */
function deal(kinds: Kinds, { place, profile }: Target): Part[] {
  const places = kinds.map((kind) => kind.map(place)), units = unitsOf(kinds[0]!);
  const runs: { first: number; end: number; unit: number }[] = [];
  let unit = 0;
  places[0]!.forEach((_, i) => {
    const last = runs.at(-1);
    const follows = last && places.every((kind) => {
      const before = kind[i - 1]!, here = kind[i]!;
      return here.block === before.block && here.offset === before.offset + align(before.size);
    });
    if (follows) last.end = i + 1;
    else runs.push({ first: i, end: i + 1, unit });
    unit += units[i]!;
  });
  const parts = runs.map(({ first, end, unit }): Part => ({
    unit,
    storages: places.map((kind) => {
      const { block, offset } = kind[first]!, last = kind[end - 1]!;
      return { block, offset, size: last.offset + last.size - offset };
    }),
  }));
  return profile.uniformBytes > 0 ? parts.flatMap(chunks) : parts;
}

function chunks({ storages, unit }: Part): Part[] {
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

/** A table of an entry for each unit of `values`, packed. @param entry by the tensor, and the unit within it. */
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
 * @param kinds what the kernel binds first, of each kind as many tensors of the same shapes.
 * @param others what it binds then.
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

/** What a step of an optimizer does, for one set of options. */
export interface Update {
  /** The states of a parameter by name, with what each element of them is at first. */
  readonly states: Readonly<Record<string, number>>;
  readonly change: Change;
  /** Where the update has scalars that follow from the count of steps. */
  readonly counting: Counting | null;
}

export interface Counting {
  /** With the function `scalars_of`. */
  readonly kernel: Kernel;
  readonly constants: Constants;
  /** Up to three numbers between 0 and 1 of which the scalars need the powers. */
  readonly decays: readonly number[];
  /** The optimizer keeps a product of one factor for each step. */
  readonly product: boolean;
}

/** An optimizer whose own file has the functions `update` and, with `decays`, `scalars_of`. */
export interface Formula extends Pick<Update, "states">, Pick<Change, "name" | "kernel" | "constants"> {
  readonly weightDecay?: number;
  /** The weight decay is taken off the parameters, instead of added to the gradients. */
  readonly decoupled?: boolean;
  readonly maximize?: boolean;
  readonly decays?: readonly number[];
  readonly product?: boolean;
}

/** A kernel that all optimizers share, with the functions of one optimizer's file. */
const withFormula = (frame: Kernel, formula: Kernel): Kernel => ({
  file: `${frame.file}+${formula.file}`,
  source: frame.source,
  includes: { ...frame.includes, "optim/formula.wgsl": formula },
});

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
    apart: true,
  };
  return { states, change, counting: decays ? { kernel, constants, decays, product } : null };
}

/**
 * Inputs: the steps u32 [n], the rate [1], the numbers of those that take a step, and the products [n] if there are
 * any.
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
      // The power of 0 is 0, as that of so small a number.
      DECAYS: range(0, 3).map((i) => Math.log(Math.max(decays[i] ?? 1, Number.MIN_VALUE))),
      PRODUCT: product,
    },
    // What is overwritten may be a copy: the output, not the input.
    bindings: [outputs[0]!, ...inputs.slice(1, 3), ...outputs.slice(1)],
    grid: linearGrid(inputs[2]!.size),
  }],
};

/**
 * Counts a step of the parameters whose numbers in the group are `active`, and gives the counts after it, the products
 * if the optimizer keeps any, and the scalars of the update [n, 4].
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

/** The table by which the update finds the scalars of each of `values`, whose numbers in the group are `active`. */
export function ownersOf(values: readonly Value[], active: readonly number[]): Value {
  return table(values, (i) => active[i]!);
}

// --- gradients -------------------------------------------------------------------------------------------------------

/**
 * Inputs: the gradients, and how many elements are in each unit of them. Outputs: the same, packed; each unit's norm.
 */
const normOp: Op<{ readonly largest: boolean }> = {
  name: "gradNorm",
  outputs: (inputs) => [...inputs.slice(0, -1), { shape: inputs.at(-1)!.shape, dtype: "f32" }],
  overwrites: ({ inputs }) => range(0, inputs.length - 1),
  packs: ({ inputs }) => [range(0, inputs.length - 1)],
  dispatches({ inputs, outputs, attrs: { largest } }, target) {
    const tables = [inputs.at(-1)!, outputs.at(-1)!].map(target.place);
    return deal([outputs.slice(0, -1)], target).map((part): Dispatch => {
      const [g] = part.storages, size = Math.ceil(g!.size / 16), { first, cut } = entriesOf(part);
      return {
        kernel: normKernel,
        constants: { SIZE: size, FIRST: first, LARGEST: largest },
        bindings: [g!, ...tables.map(cut)],
        grid: linearGrid(Math.ceil(size / 16)),
      };
    });
  },
};
packing.add(normOp as Op);

/**
 * The norm [] of all gradients together, the root of the sum of squares or the largest magnitude; and the gradients.
 */
export function gradNorm(gradients: readonly Value[], largest: boolean): { norm: Value; gradients: readonly Value[] } {
  const perUnit = ALIGNMENT / 4;
  const filled = table(gradients, (i, unit) => Math.min(perUnit, gradients[i]!.size - unit * perUnit));
  const outputs = record(normOp, [...gradients, filled], { largest }), norms = outputs.at(-1)!;
  const all = reduce(largest ? "max" : "sum", norms, undefined, false);
  return { norm: largest ? all : apply("sqrt", all), gradients: outputs.slice(0, -1) };
}

/** The gradients, scaled so that `norm` becomes `most` if it is more; without a norm, each element clamped to ±most. */
export function clipGradients(gradients: readonly Value[], most: number, norm: Value | null): readonly Value[] {
  const how = { name: "clipGradients", kernel: clipKernel, constants: { MOST: most, BY_NORM: norm !== null } };
  return change(how, [{ values: gradients, writes: true }], norm ? [norm] : []);
}
