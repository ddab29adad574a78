/**
 * From nodes in order to commands: gives every value a storage, and every dispatch its shader and its storages.
 * Intermediates share a few blocks by liveness; targets get storages that nothing else uses, or stay where they overwrite.
 *
 * @module
 */
import { GpuError } from "../errors.ts";
import type { Backend, Command } from "../backend/backend.ts";
import { align, type Block, type Storage } from "../backend/memory.ts";
import { shaderOf } from "../backend/shader.ts";
import { deviceOf } from "./device.ts";
import { upload } from "./leaves.ts";
import { merge } from "./merge.ts";
import { type Dispatch, Node, type Op, type Target, Value } from "./node.ts";
import type { Schedule } from "./rewrite.ts";

export interface Plan {
  readonly commands: readonly Command[];
  /** Where each target's elements will be. */
  readonly targets: readonly Storage[];
  /** Every block that the commands use. The caller releases them. */
  readonly blocks: readonly Block[];
}

/** Where the leaves of a program are, and what the step does with them. */
export interface Homes {
  readonly storages: ReadonlyMap<Value, Storage>;
  /** The leaves that the step changes. What overwrites one of them does so in the leaf's storage. */
  readonly changed: ReadonlySet<Value>;
  /** For some of the targets, by their index: where their elements must be at the end of the step. */
  readonly ends: ReadonlyMap<number, Storage>;
}

/** An op whose output holds the elements of input 0, in another storage. */
export const copyOp: Op<null> = {
  name: "copy",
  gradName: "CloneBackward0",
  outputs: ([x]) => [x!],
  grad: (_, [dy]) => [dy!],
};

/**
 * Plans `schedule`. Values that overwrite a leaf of a program do so in the leaf's storage. All others overwrite a copy, so
 * that whatever was recorded from the old elements stays right.
 */
export function plan(backend: Backend, schedule: Schedule, homes?: Homes): Plan {
  return new Planner(backend, schedule, homes).plan();
}

class Planner {
  readonly #storages: Map<Value, Storage>;
  readonly #scheduled: ReadonlySet<Node>;
  /** Where the elements of targets are copied to that are computed elsewhere: no two targets share a storage. */
  readonly #targets = new Map<Value, Storage>();
  readonly #commands: Command[] = [];
  readonly #target: Target;
  readonly #blocks: Block[] = [];
  /** Blocks of intermediates, and those of them that are free again, by size. */
  readonly #slots = new Set<Block>();
  readonly #free = new Map<number, Set<Block>>();
  /** The bases of views, so that long chains of views are walked once. */
  readonly #bases = new Map<Value, Value>();
  /** The number of reads of a value that are still to come. */
  readonly #reads = new Map<Value, number>();
  /** The index of the last node that reads a value; infinity for targets. */
  readonly #lastRead = new Map<Value, number>();
  /** Where the values that the current node overwrites are from then on. */
  readonly #saved = new Map<Value, Storage>();
  /** For outputs that overwrite a copy: that copy, in place of the node's input. */
  readonly #copies = new Map<Value, Value>();

  constructor(readonly backend: Backend, readonly schedule: Schedule, readonly homes?: Homes) {
    this.#storages = new Map(homes?.storages);
    for (const { block } of this.#storages.values()) this.#blocks.push(block.retain());
    this.#scheduled = new Set(schedule.nodes);
    this.#target = { ...deviceOf(backend), place: (value) => this.#storageOf(value) };
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
    targets.forEach((target, i) => this.#storeTarget(target, ends.has(i)));
    packed.forEach((some, i) => some.forEach((node) => this.#run(node, i)));
    for (const [target, storage] of this.#targets) this.#copy(this.#storageOf(target), storage);
    for (const [i, end] of ends) this.#copy(this.#storageOf(targets[i]!), end);
    const storages = targets.map((target, i) => ends.get(i) ?? this.#targets.get(target) ?? this.#storageOf(target));
    // Merged kernels have to be compiled, which does not pay for commands that run once.
    const commands = this.homes && this.backend.merges ? merge(this.#commands) : this.#commands;
    return { commands, targets: storages, blocks: this.#blocks };
  }

  /** The value whose storage holds `value`'s elements: that of a view is its base's. */
  #base(value: Value): Value {
    let base = value;
    while (!this.#isLeaf(base) && base.node!.op.view) base = this.#bases.get(base) ?? base.node!.inputs[0]!;
    if (base !== value) this.#bases.set(value, base);
    return base;
  }

  #isLeaf(value: Value): boolean {
    return !value.pending || (this.homes?.storages.has(value) ?? false);
  }

  #count(value: Value, by: number): number {
    const root = this.#base(value), count = (this.#reads.get(root) ?? 0) + by;
    this.#reads.set(root, count);
    return count;
  }

  /** Gives a target a storage that nothing else uses, unless it has an end to be copied to. */
  #storeTarget(target: Value, end: boolean): void {
    const root = this.#base(target);
    this.#count(root, 1);
    if (end) return;
    const taken = this.#storages.has(root) || this.#isLeaf(root) || this.#overwritten(root) !== null;
    if (taken) this.#targets.set(target, this.#allocate(target.bytes));
    else this.#storages.set(root, this.#allocate(root.bytes));
  }

  /** The value that `value` overwrites, if there is one. */
  #overwritten(value: Value): Value | null {
    const { node } = value;
    // A node runs again, with all of its outputs, if not all of them have their elements.
    if (!node || this.homes?.storages.has(value) || (this.#isLeaf(value) && !this.#scheduled.has(node))) return null;
    return this.#under(value, node);
  }

  /** The value that output `value` of `node` overwrites. A value that was computed may have forgotten its node. */
  #under(value: Value, node: Node): Value | null {
    const index = node.op.overwrites?.(node)[node.outputs.indexOf(value)];
    return index === undefined ? null : this.#base(this.#copies.get(value) ?? node.inputs[index]!);
  }

  /** The leaf of a program that `value` overwrites, directly or through other values. */
  #home(value: Value): Value | null {
    for (let root: Value | null = this.#base(value); root; root = this.#overwritten(root)) {
      if (this.homes?.changed.has(root)) return root;
    }
    return null;
  }

  /** New memory, which the plan releases. */
  #allocate(bytes: number): Storage {
    const storage = this.backend.allocateStorage(bytes);
    this.#blocks.push(storage.block);
    return storage;
  }

  /** Gives each group of a node's inputs that must follow each other a common block; other inputs are copied there. */
  #packed(node: Node, index: number): Node[] {
    const overwritten = node.op.overwrites?.(node) ?? [], inputs = node.inputs.slice(), copies: Node[] = [];
    for (const group of node.op.packs?.(node) ?? []) {
      const written = overwritten.includes(group[0]!);
      const stays = (root: Value) => written ? this.#home(root) !== null : this.#isLeaf(root);
      // Values in the program's leaves stay there; the op then does not use a block.
      if (group.every((i) => stays(this.#base(inputs[i]!)))) continue;
      const block = this.#allocate(group.reduce((sum, i) => sum + align(inputs[i]!.bytes), 0)).block;
      let offset = 0;
      for (const i of group) {
        const value = inputs[i]!, root = this.#base(value), storage = { block, offset, size: value.bytes };
        offset += align(value.bytes);
        const free = !this.#isLeaf(root) && !this.#storages.has(root) && this.#overwritten(root) === null;
        if (free && (!written || this.#lastRead.get(root)! <= index)) {
          this.#storages.set(root, storage);
        } else {
          const [copy] = new Node(copyOp, [value], null).outputs;
          this.#storages.set(copy!, storage);
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
  #storageOf(value: Value): Storage {
    const root = this.#base(value);
    let storage = this.#storages.get(root);
    if (!storage) {
      if (!this.#isLeaf(root)) throw new Error(`a value of "${root.node?.op.name}" is used before it is computed`);
      storage = upload(this.backend, root);
      this.#blocks.push(storage.block.retain());
      this.#storages.set(root, storage);
    }
    return storage;
  }

  #run(node: Node, index: number): void {
    const { op } = node;
    if (!op.view) {
      for (const output of node.outputs) if (!this.#storages.has(output)) this.#storeOutput(output, node, index);
      if (op === copyOp as unknown) this.#copy(this.#storageOf(node.inputs[0]!), this.#storageOf(node.outputs[0]!));
      else {
        for (const dispatch of op.dispatches!(node, this.#target)) this.#dispatch(dispatch);
      }
    }
    for (const [old, storage] of this.#saved) this.#storages.set(old, storage);
    this.#saved.clear();
    for (const output of node.outputs) if ((this.#reads.get(this.#base(output)) ?? 0) === 0) this.#release(output);
    for (const input of node.inputs) if (this.#count(input, -1) === 0) this.#release(input);
  }

  #storeOutput(output: Value, node: Node, index: number): void {
    const old = this.#under(output, node);
    if (!old) {
      this.#storages.set(output, this.#slot(output.bytes));
      return;
    }
    const storage = this.#storageOf(old), later = this.#lastRead.get(old)! > index;
    if (this.#home(output) !== null || (!this.#isLeaf(old) && !later)) {
      if (later) {
        // The old elements are read once more, after this node: from a copy.
        const saved = this.#allocate(old.bytes);
        this.#copy(storage, saved);
        this.#saved.set(old, saved);
      } else {
        this.#count(old, 1); // The output now holds the storage, and releases it.
      }
      this.#storages.set(output, storage);
    } else {
      const copy = this.#slot(output.bytes);
      this.#copy(storage, copy);
      this.#storages.set(output, copy);
    }
  }

  /** Memory for an intermediate: the smallest free block that is large enough, and not wastefully large. */
  #slot(bytes: number): Storage {
    const size = align(bytes);
    const fits = [...this.#free].filter(([free, blocks]) => free >= size && free <= 4 * size && blocks.size > 0);
    const blocks = fits.sort(([a], [b]) => a - b)[0]?.[1], block = blocks?.values().next().value;
    if (block) {
      blocks!.delete(block);
      return { block, offset: 0, size: bytes };
    }
    const storage = this.#allocate(bytes);
    this.#slots.add(storage.block);
    return storage;
  }

  /** Frees the block of an intermediate that nothing reads any more. */
  #release(value: Value): void {
    const block = this.#storages.get(this.#base(value))?.block;
    if (!block || !this.#slots.has(block)) return;
    const free = this.#free.get(block.size) ?? new Set();
    this.#free.set(block.size, free.add(block));
  }

  #copy(from: Storage, to: Storage): void {
    if (from.block !== to.block) {
      this.#commands.push({ from, to });
    } else if (from.offset !== to.offset) {
      const between = this.#allocate(from.size); // Backends copy from one block to another only.
      this.#commands.push({ from, to: between }, { from: between, to });
    }
  }

  #dispatch({ kernel, constants, bindings, grid }: Dispatch): void {
    if (grid.some((extent) => extent > 65535)) {
      throw new GpuError(`${kernel.file}: a tensor is too large for one dispatch (${grid.join(" x ")} workgroups)`);
    }
    const storages = bindings.map((bound) => bound instanceof Value ? this.#storageOf(bound) : bound);
    const shader = shaderOf(this.backend, kernel, constants, storages.map(({ size }) => size));
    if (bindings.length !== shader.bindings.length) {
      throw new Error(`${kernel.file} binds ${shader.bindings.length} buffers`);
    }
    const writes = (i: number) => shader.bindings[i]!.access === "write";
    const written = new Set(storages.filter((_, i) => writes(i)).map((storage) => storage.block));
    const safe = storages.map((storage, i) => {
      if (writes(i) || !written.has(storage.block)) return storage;
      const copy = this.#allocate(storage.size); // A dispatch must not read the block that it writes.
      this.#copy(storage, copy);
      return copy;
    });
    this.#commands.push({ shader, storages: safe, grid });
  }
}
