/**
 * From nodes in order to commands: gives every value a place in memory and every dispatch its pipeline and bindings.
 * Intermediates share a few blocks by liveness; targets get storages of their own, or lie where they overwrite.
 *
 * @module
 */
import { GpuError } from "../errors.ts";
import type { Gpu } from "../backend/webgpu/device.ts";
import { align, allocateStorage, type Block, type Storage } from "../backend/webgpu/memory.ts";
import { bind, pipelineOf, shaderOf } from "../backend/webgpu/pipeline.ts";
import type { Command, Copy } from "./commands.ts";
import { upload } from "./leaves.ts";
import { merge, merges, type Pending } from "./merge.ts";
import { type Dispatch, Node, type Op, type Target, Value } from "./node.ts";
import type { Schedule } from "./rewrite.ts";
import { deviceOf } from "./variants.ts";

export interface Plan {
  readonly commands: readonly Command[];
  /** Where each target's elements will be. */
  readonly targets: readonly Storage[];
  /** Every block that the commands use. Releasing them is the caller's part. */
  readonly blocks: readonly Block[];
}

/** Where the leaves of a program lie, and what the step makes of them. */
export interface Homes {
  readonly places: ReadonlyMap<Value, Storage>;
  /** The leaves that the step changes. What overwrites one of them does so where it lies. */
  readonly changed: ReadonlySet<Value>;
  /** For some of the targets, by their index: where their elements must be at the end of the step. */
  readonly ends: ReadonlyMap<number, Storage>;
}

/** An op whose output has the elements of input 0, in a place of its own. */
export const copyOp: Op<null> = {
  name: "copy",
  gradName: "CloneBackward0",
  outputs: ([x]) => [x!],
  grad: (_, [dy]) => [dy!],
};

/**
 * Plans `schedule`. Values that overwrite a leaf of a program do so where it lies. All others overwrite a copy, so that
 * whatever was recorded from the old elements stays right.
 */
export function plan(gpu: Gpu, schedule: Schedule, homes?: Homes): Plan {
  return new Planner(gpu, schedule, homes).plan();
}

class Planner {
  readonly #places: Map<Value, Storage>;
  readonly #scheduled: ReadonlySet<Node>;
  /** Where the elements of targets go that are not computed there: no two targets share a place. */
  readonly #targets = new Map<Value, Storage>();
  readonly #commands: (Pending | Copy)[] = [];
  readonly #target: Target;
  readonly #blocks: Block[] = [];
  /** Blocks of intermediates, and those of them that are free again, by size. */
  readonly #slots = new Set<Block>();
  readonly #free = new Map<number, Set<Block>>();
  /** The bases of views that were asked for, so that long chains of views are walked once. */
  readonly #bases = new Map<Value, Value>();
  /** How many reads of a value are still to come. */
  readonly #reads = new Map<Value, number>();
  /** The last node that reads a value, by its place in the order; infinity for targets. */
  readonly #lastRead = new Map<Value, number>();
  /** Where values that the node at hand overwrites are from then on. */
  readonly #saved = new Map<Value, Storage>();
  /** For outputs that overwrite a copy: that copy, in place of the node's own input. */
  readonly #copies = new Map<Value, Value>();

  constructor(readonly gpu: Gpu, readonly schedule: Schedule, readonly homes?: Homes) {
    this.#places = new Map(homes?.places);
    for (const { block } of this.#places.values()) this.#blocks.push(block.retain());
    this.#scheduled = new Set(schedule.nodes);
    this.#target = { ...deviceOf(gpu), place: (value) => this.#place(value) };
  }

  plan(): Plan {
    try {
      return this.#plan();
    } catch (error) {
      for (const block of this.#blocks) block.release();
      throw error;
    }
  }

  #plan(): Plan {
    const { nodes, targets } = this.schedule, ends = this.homes?.ends ?? new Map<number, Storage>();
    nodes.forEach(({ inputs }, i) => inputs.forEach((input) => this.#lastRead.set(this.#base(input), i)));
    for (const target of targets) this.#lastRead.set(this.#base(target), Infinity);
    const packed = nodes.map((node, i) => this.#packed(node, i));
    for (const node of packed.flat()) for (const input of node.inputs) this.#count(input, 1);
    targets.forEach((target, i) => this.#placeTarget(target, ends.has(i)));
    packed.forEach((some, i) => some.forEach((node) => this.#run(node, i)));
    for (const [target, place] of this.#targets) this.#copy(this.#place(target), place);
    for (const [i, end] of ends) this.#copy(this.#place(targets[i]!), end);
    const places = targets.map((target, i) => ends.get(i) ?? this.#targets.get(target) ?? this.#place(target));
    // What runs once is not worth kernels of its own.
    const merged = this.homes && merges(this.gpu) ? merge(this.#commands) : this.#commands;
    return { commands: merged.map((one) => this.#ready(one)), targets: places, blocks: this.#blocks };
  }

  /** The value whose place holds `value`'s elements: views have none of their own. */
  #base(value: Value): Value {
    let base = value;
    while (!this.#isLeaf(base) && base.node!.op.view) base = this.#bases.get(base) ?? base.node!.inputs[0]!;
    if (base !== value) this.#bases.set(value, base);
    return base;
  }

  #isLeaf(value: Value): boolean {
    return !value.pending || (this.homes?.places.has(value) ?? false);
  }

  #count(value: Value, by: number): number {
    const root = this.#base(value), count = (this.#reads.get(root) ?? 0) + by;
    this.#reads.set(root, count);
    return count;
  }

  /** Gives a target a place that no other has and that is not used again, unless it has an end to be copied to. */
  #placeTarget(target: Value, end: boolean): void {
    const root = this.#base(target);
    this.#count(root, 1);
    if (end) return;
    const taken = this.#places.has(root) || this.#isLeaf(root) || this.#overwritten(root) !== null;
    if (taken) this.#targets.set(target, this.#own(target.bytes));
    else this.#places.set(root, this.#own(root.bytes));
  }

  /** The value that `value` is written over, if there is one. */
  #overwritten(value: Value): Value | null {
    const { node } = value;
    // A node runs again, with all of its outputs, if not all of them have their elements.
    if (!node || this.homes?.places.has(value) || (this.#isLeaf(value) && !this.#scheduled.has(node))) return null;
    return this.#under(value, node);
  }

  /** The value that output `value` of `node` is written over: one that has its elements may have forgotten its node. */
  #under(value: Value, node: Node): Value | null {
    const at = node.op.overwrites?.(node)[node.outputs.indexOf(value)];
    return at === undefined ? null : this.#base(this.#copies.get(value) ?? node.inputs[at]!);
  }

  /** The leaf of a program over which `value` comes to lie, by one overwriting after the other. */
  #home(value: Value): Value | null {
    for (let root: Value | null = this.#base(value); root; root = this.#overwritten(root)) {
      if (this.homes?.changed.has(root)) return root;
    }
    return null;
  }

  /** Memory that is the plan's alone. */
  #own(bytes: number): Storage {
    const storage = allocateStorage(this.gpu, bytes);
    this.#blocks.push(storage.block);
    return storage;
  }

  /** Gives the groups of a node's inputs that must lie together a common block; what cannot be put there is copied. */
  #packed(node: Node, index: number): Node[] {
    const overwritten = node.op.overwrites?.(node) ?? [], inputs = node.inputs.slice(), copies: Node[] = [];
    for (const group of node.op.packs?.(node) ?? []) {
      const written = overwritten.includes(group[0]!);
      const stays = (root: Value) => written ? this.#home(root) !== null : this.#isLeaf(root);
      // What lies in the program's leaves stays there, and the op makes do.
      if (group.every((i) => stays(this.#base(inputs[i]!)))) continue;
      const block = this.#own(group.reduce((sum, i) => sum + align(inputs[i]!.bytes), 0)).block;
      let offset = 0;
      for (const i of group) {
        const value = inputs[i]!, root = this.#base(value), place = { block, offset, size: value.bytes };
        offset += align(value.bytes);
        const free = !this.#isLeaf(root) && !this.#places.has(root) && this.#overwritten(root) === null;
        if (free && (!written || this.#lastRead.get(root)! <= index)) {
          this.#places.set(root, place);
        } else {
          const [copy] = new Node(copyOp, [value], null).outputs;
          this.#places.set(copy!, place);
          inputs[i] = copy!;
          copies.push(copy!.node!);
          const output = node.outputs[overwritten.indexOf(i)];
          if (output) this.#copies.set(output, copy!);
        }
      }
    }
    return copies.length === 0 ? [node] : [...copies, new Node(node.op, inputs, node.attrs, node.outputs)];
  }

  /** Where the elements of `value` are. */
  #place(value: Value): Storage {
    const root = this.#base(value);
    let place = this.#places.get(root);
    if (!place) {
      if (!this.#isLeaf(root)) throw new Error(`a value of "${root.node?.op.name}" is used before it is computed`);
      place = upload(this.gpu, root);
      this.#blocks.push(place.block.retain());
      this.#places.set(root, place);
    }
    return place;
  }

  #run(node: Node, index: number): void {
    const { op } = node;
    if (!op.view) {
      for (const output of node.outputs) if (!this.#places.has(output)) this.#placeOutput(output, node, index);
      if (op === copyOp as unknown) this.#copy(this.#place(node.inputs[0]!), this.#place(node.outputs[0]!));
      else {
        for (const dispatch of op.dispatches!(node, this.#target)) this.#dispatch(dispatch);
      }
    }
    for (const [old, place] of this.#saved) this.#places.set(old, place);
    this.#saved.clear();
    for (const output of node.outputs) if ((this.#reads.get(this.#base(output)) ?? 0) === 0) this.#release(output);
    for (const input of node.inputs) if (this.#count(input, -1) === 0) this.#release(input);
  }

  #placeOutput(output: Value, node: Node, index: number): void {
    const old = this.#under(output, node);
    if (!old) {
      this.#places.set(output, this.#slot(output.bytes));
      return;
    }
    const place = this.#place(old), later = this.#lastRead.get(old)! > index, atHome = this.#home(output) !== null;
    if (atHome || (!this.#isLeaf(old) && !later)) {
      if (later) {
        // The old elements are read once more, after this node: from elsewhere.
        const saved = this.#own(old.bytes);
        this.#copy(place, saved);
        this.#saved.set(old, saved);
      } else {
        this.#count(old, 1); // The place is the output's now, to give back.
      }
      this.#places.set(output, place);
    } else {
      const own = this.#slot(output.bytes);
      this.#copy(place, own);
      this.#places.set(output, own);
    }
  }

  /** Memory for an intermediate: the smallest free block that is large enough, and not wastefully large. */
  #slot(bytes: number): Storage {
    const size = align(bytes);
    const fits = [...this.#free].filter(([own, blocks]) => own >= size && own <= 4 * size && blocks.size > 0);
    const blocks = fits.sort(([a], [b]) => a - b)[0]?.[1], block = blocks?.values().next().value;
    if (block) {
      blocks!.delete(block);
      return { block, offset: 0, size: bytes };
    }
    const storage = this.#own(bytes);
    this.#slots.add(storage.block);
    return storage;
  }

  /** Frees the block of an intermediate that nothing reads any more. */
  #release(value: Value): void {
    const block = this.#places.get(this.#base(value))?.block;
    if (!block || !this.#slots.has(block)) return;
    const free = this.#free.get(block.size) ?? new Set();
    this.#free.set(block.size, free.add(block));
  }

  #copy(from: Storage, to: Storage): void {
    if (from.block !== to.block) {
      this.#commands.push({ from, to });
    } else if (from.offset !== to.offset) {
      const between = this.#own(from.size); // WebGPU copies from one buffer to another only.
      this.#commands.push({ from, to: between }, { from: between, to });
    }
  }

  #dispatch({ kernel, constants, bindings, grid }: Dispatch): void {
    if (grid.some((extent) => extent > 65535)) {
      throw new GpuError(`${kernel.file}: a tensor is too large for one dispatch (${grid.join(" x ")} workgroups)`);
    }
    const storages = bindings.map((bound) => bound instanceof Value ? this.#place(bound) : bound);
    const shader = shaderOf(this.gpu, kernel, constants, storages.map(({ size }) => size));
    if (bindings.length !== shader.bindings.length) {
      throw new Error(`${kernel.file} binds ${shader.bindings.length} buffers`);
    }
    const writes = (i: number) => shader.bindings[i]!.type === "storage";
    const written = new Set(storages.filter((_, i) => writes(i)).map((storage) => storage.block));
    const safe = storages.map((storage, i) => {
      if (writes(i) || !written.has(storage.block)) return storage;
      const apart = this.#own(storage.size); // A dispatch must not read the buffer that it writes.
      this.#copy(storage, apart);
      return apart;
    });
    this.#commands.push({ shader, storages: safe, grid });
  }

  #ready(command: Pending | Copy): Command {
    if (!("shader" in command)) return command;
    const { shader, storages, grid } = command, pipeline = pipelineOf(this.gpu, shader);
    const group = bind(this.gpu, pipeline, storages);
    return { kernel: shader.file, pipeline: pipeline.pipeline, group, grid };
  }
}
