/**
 * The graph: values and the nodes that compute them. Nothing here touches a device; a value gets a storage only when
 * something is computed. The ops themselves are in `src/ops`; this file states what an op must provide.
 *
 * @module
 */
import type { Profile } from "../backend/profile.ts";
import type { Block, Storage } from "../backend/memory.ts";
import type { Variants } from "../backend/variants.ts";
import type { Constants, Kernel } from "../wgsl/specialize.ts";
import { recorder, type Trace } from "./recorder.ts";

export type DType = "f32" | "u32";
export type Shape = readonly number[];
export type Data = Float32Array | Uint32Array;

/** The shape and type of an output. */
export interface Spec {
  readonly shape: Shape;
  readonly dtype: DType;
}

/** One run of a kernel, as an op asks for it. */
export interface Dispatch {
  readonly kernel: Kernel;
  readonly constants: Constants;
  /** What the kernel binds, in the order of its bindings: values, or ranges of a block that hold several. */
  readonly bindings: readonly (Value | Storage)[];
  /** Workgroups along x, y and z. */
  readonly grid: readonly [number, number, number];
}

/** What the selection of kernels may depend on. */
export interface Device {
  /** What kernels are chosen by. */
  readonly profile: Profile;
  /** What the offset of a binding must be a multiple of, in bytes. */
  readonly alignment: number;
  /** The most that a workgroup may have: invocations, and bytes of shared memory. */
  readonly workgroup: { readonly invocations: number; readonly bytes: number };
  /** Selects among an op's variants. */
  readonly variants: Variants<Node>;
}

/** A device for which a graph is planned: every value has a storage. */
export interface Target extends Device {
  /** The storage of a value. */
  place(value: Value): Storage;
}

/** What the graph must know of an op. `A` holds its attributes: the numbers that become part of its kernels. */
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
  /** The output holds the elements of input 0, in the same order: nothing is computed. */
  readonly view?: boolean;
  /** Values of other nodes that compute the same, in place of `dispatches`; null if there are none. */
  expand?(node: Node<A>, device: Device): readonly Value[] | null;
  /** Output `i` is written over input `overwrites[i]`. */
  overwrites?(node: Node<A>): readonly number[];
  /** Groups of inputs that must follow each other, in order, in one block. */
  packs?(node: Node<A>): readonly (readonly number[])[];
  /** The kernels to run, in order. */
  dispatches?(node: Node<A>, target: Target): Dispatch[];
}

/** A run of an op on given inputs. `Node` and `Value` make one graph, so they are in one file. */
export class Node<A = unknown> {
  readonly outputs: readonly Value[];
  /** The node's rank in the order of execution, if it is not that of its first output's number: see `rewrite.ts`. */
  rank: number | null = null;
  /** @param outputs values that another node has computed so far; by default new ones. */
  constructor(
    readonly op: Op<A>,
    readonly inputs: readonly Value[],
    readonly attrs: A,
    outputs?: readonly Value[],
    readonly trace: Trace | null = recorder.trace,
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

/** Frees a value's memory when the garbage collector has found that nothing holds the value. */
const registry = new FinalizationRegistry<Block>((block) => block.release());

/** A tensor's elements: either computed by a node, or given. */
export class Value {
  /** Values are numbered as they are recorded, so that the order of the numbers is an order of execution. */
  readonly id: number = recorder.nextId++;
  /** Gradients flow through this value. */
  needsGrad = false;
  /** Given elements that are not on the device yet. */
  host: Data | null = null;
  /** A node outside of programs reads this value, or will read it: its elements must stay as they are. */
  read = false;
  /** The pack that this value is a member of: its elements are uploaded with those of the others. */
  pack: Pack | null = null;
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

  /** Where the elements are, once they are on the device to stay. */
  get storage(): Storage | null {
    return this.#storage;
  }

  /** Gives this value a storage, or (null) takes it away. Until then the value is a user of the block. */
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

/** Appends a node to the graph. */
export function record<A>(op: Op<A>, inputs: readonly Value[], attrs: A): readonly Value[] {
  const node = new Node(op, inputs, attrs);
  if (recorder.reads) { for (const input of inputs) input.read = true; }
  if (recorder.gradients && op.grad && inputs.some((input) => input.needsGrad)) {
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
