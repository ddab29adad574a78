/**
 * The graph: values, the nodes that compute them, and the recording of both. Nothing here touches the GPU; a value gets
 * a storage only when something is computed. What an op is, is said in `src/ops`; this file only says what it must tell.
 *
 * @module
 */
import type { Profile } from "../backend/profile.ts";
import type { Block, Storage } from "../backend/webgpu/memory.ts";
import type { Constants, Kernel } from "../wgsl/specialize.ts";
import type { Variants } from "./variants.ts";

export type DType = "f32" | "u32";
export type Shape = readonly number[];
export type Data = Float32Array | Uint32Array;

/** The shape and type of an output. */
export interface Spec {
  readonly shape: Shape;
  readonly dtype: DType;
}

/** One run of a kernel. */
export interface Dispatch {
  readonly kernel: Kernel;
  readonly constants: Constants;
  /** What the kernel binds, by number: values, or ranges of a block that hold several. */
  readonly bindings: readonly (Value | Storage)[];
  /** Workgroups along x, y and z. */
  readonly grid: readonly [number, number, number];
}

/** What the choice of kernels may depend on. */
export interface Device {
  /** What kernels are chosen by. */
  readonly profile: Profile;
  /** What the offset of a binding must be a multiple of, in bytes. */
  readonly alignment: number;
  /** What a workgroup may have at most: invocations, and bytes of memory of its own. */
  readonly workgroup: { readonly invocations: number; readonly bytes: number };
  /** Which of an op's variants to take. */
  readonly variants: Variants;
}

/** The same when storages are known. */
export interface Target extends Device {
  /** Where a value lies. */
  place(value: Value): Storage;
}

/** What the graph must know of an op. `A` holds its attributes: the numbers that are part of the kernel. */
export interface Op<A = unknown> {
  readonly name: string;
  /** The name that `gradFn` shows: PyTorch's, where it has one. */
  readonly gradName?: string;
  /** The op that this one is another name for: see `src/ops/op.ts`. */
  readonly formOf?: Op<A>;
  /** The multiply-adds of a node. Default: none. */
  multiplyAdds?(node: Node<A>): number;
  /** The shapes of the outputs. Arguments were checked by the op's function. */
  outputs(inputs: readonly Value[], attrs: A): Spec[];
  /**
   * The gradients of the inputs, given those of the outputs (null where an output got none). `needs[i]` says whether the
   * gradient of input `i` is wanted at all.
   */
  grad?(node: Node<A>, grads: readonly (Value | null)[], needs: readonly boolean[]): (Value | null)[];
  /** The output has the elements of input 0, in the same order: nothing is computed. */
  readonly view?: boolean;
  /** Other nodes that compute the same. Used in place of `dispatches` where it gives values. */
  expand?(node: Node<A>, device: Device): readonly Value[] | null;
  /** Output `i` is written over input `overwrites[i]`. */
  overwrites?(node: Node<A>): readonly number[];
  /** Groups of inputs that must lie one behind the other, in order, in one block. */
  packs?(node: Node<A>): readonly (readonly number[])[];
  /** The kernels to run, in order. */
  dispatches?(node: Node<A>, target: Target): Dispatch[];
}

/** What a node was recorded for, where anomalies are to be found: the gradient of an op, or (null) a forward step. */
export interface Trace {
  readonly gradientOf: Op | null;
}

let now: Trace | null = null;

/** Whether the nodes that are recorded now are traced. */
export function traces(): boolean {
  return now !== null;
}

/** Traces the nodes that are recorded from now on, or not. */
export function setTraces(on: boolean): void {
  now = on ? { gradientOf: null } : null;
}

/** Runs `fn`, which records the gradient of `node`. */
export function recordedFor(node: Node, fn: () => void): void {
  const before = now;
  if (before) now = { gradientOf: node.op };
  try {
    fn();
  } finally {
    now = before;
  }
}

export class Node<A = unknown> {
  readonly outputs: readonly Value[];
  /** @param outputs values that another node has computed so far; by default new ones. */
  constructor(
    readonly op: Op<A>,
    readonly inputs: readonly Value[],
    readonly attrs: A,
    outputs?: readonly Value[],
    readonly trace: Trace | null = now,
  ) {
    this.outputs = outputs ??
      op.outputs(inputs, attrs).map(({ shape, dtype }) => new Value(shape, dtype, this as Node));
  }
}

/** Leaves that will share a block: the parameters of an optimizer, say. Sizes and offsets in bytes. */
export interface Pack {
  readonly size: number;
  readonly members: readonly { readonly value: Value; readonly offset: number }[];
}

let values = 0;

/** The number of the next value. */
export function nextId(): number {
  return values;
}

/** Frees a value's memory when nothing holds the value any more. */
const registry = new FinalizationRegistry<Block>((block) => block.release());

/** A tensor's elements: either computed by a node, or given. */
export class Value {
  /** Values are numbered as they are recorded, so that the order of the numbers is an order of execution. */
  readonly id: number = values++;
  /** Gradients flow through this value. */
  needsGrad = false;
  /** Given elements that are not on the GPU yet. */
  host: Data | null = null;
  /** A node outside of programs reads this value, or will: its elements must stay as they are. */
  read = false;
  /** Where this value's elements must lie, when it is uploaded. */
  place: { readonly pack: Pack } | null = null;
  #storage: Storage | null = null;

  constructor(readonly shape: Shape, readonly dtype: DType, public node: Node | null = null) {}

  /** The number of elements. */
  get size(): number {
    return sizeOf(this.shape);
  }

  /** The elements' size in bytes: both types take four. */
  get bytes(): number {
    return this.size * 4;
  }

  /** Where the elements are, once they are on the GPU to stay. */
  get storage(): Storage | null {
    return this.#storage;
  }

  /** Gives this value a storage, or takes it away. The block lives as long as the value, or until it is taken away. */
  set storage(storage: Storage | null) {
    storage?.block.retain();
    if (this.#storage) {
      registry.unregister(this);
      this.#storage.block.release();
    }
    this.#storage = storage;
    if (storage) registry.register(this, storage.block, this);
  }

  /** A node must run to know this value. */
  get pending(): boolean {
    return this.node !== null && this.#storage === null && this.host === null;
  }
}

export function sizeOf(shape: Shape): number {
  return shape.reduce((size, extent) => size * extent, 1);
}

let recordGradients = true, recordReads = true;

/** Runs `fn`, which records a program: what that reads may change between its runs. */
export function withoutReads<T>(fn: () => T): T {
  const before = recordReads;
  recordReads = false;
  try {
    return fn();
  } finally {
    recordReads = before;
  }
}

/** Runs `fn` without recording what gradients would need. */
export function withoutGradients<T>(fn: () => T): T {
  const before = recordGradients;
  recordGradients = false;
  try {
    return fn();
  } finally {
    recordGradients = before;
  }
}

export function recordsGradients(): boolean {
  return recordGradients;
}

/** Appends a node to the graph. */
export function record<A>(op: Op<A>, inputs: readonly Value[], attrs: A): readonly Value[] {
  const node = new Node(op, inputs, attrs);
  if (recordReads) { for (const input of inputs) input.read = true; }
  if (recordGradients && op.grad && inputs.some((input) => input.needsGrad)) {
    for (const output of node.outputs) if (output.dtype === "f32") output.needsGrad = true;
  }
  return node.outputs;
}

/** A value with given elements. */
export function constant(data: Data, shape: Shape): Value {
  const value = new Value(shape, data instanceof Uint32Array ? "u32" : "f32");
  value.host = data;
  return value;
}
