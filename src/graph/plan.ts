/**
 * From nodes in order to commands: gives every value a place in memory and every dispatch its pipeline and bindings.
 * Intermediates share a few blocks by liveness; targets get storages of their own, or lie where they overwrite.
 *
 * @module
 */
import { ShapeError } from "../errors.ts";
import { counters, type Gpu } from "../gpu/device.ts";
import { align, allocate, allocateStorage, type Block, type Storage, write } from "../gpu/memory.ts";
import { bind, pipelineOf } from "../gpu/pipeline.ts";
import { type Dispatch, Node, type Op, type Pack, Value } from "./node.ts";
import type { Schedule } from "./rewrite.ts";

/** A dispatch, ready to encode. */
interface Run {
  readonly pipeline: GPUComputePipeline;
  readonly group: GPUBindGroup;
  readonly grid: readonly [number, number, number];
}

/** A copy between two storages. */
interface Copy {
  readonly from: Storage;
  readonly to: Storage;
}

export type Command = Run | Copy;

export interface Plan {
  readonly commands: readonly Command[];
  /** Where each target's elements will be. */
  readonly targets: readonly Storage[];
  /** Every block that the plan holds. Releasing them is the caller's part. */
  readonly blocks: readonly Block[];
}

/** An op whose output has the elements of input 0, in a place of its own. */
export const copyOp: Op<null> = {
  name: "copy",
  gradName: "CloneBackward0",
  outputs: ([x]) => [x!],
  grad: (_, [dy]) => [dy!],
};

/** Writes input 1 over input 0. */
export const assignOp: Op<null> = { name: "assign", outputs: ([to]) => [to!], overwrites: () => [0] };

/** The value whose storage holds `value`'s elements: views have none of their own. */
export function base(value: Value): Value {
  while (value.pending && value.node?.op.view) value = value.node.inputs[0]!;
  return value;
}

/** Puts the elements of a leaf on the GPU, if they are not there yet, and returns where they are. */
export function upload(gpu: Gpu, value: Value): Storage {
  if (value.storage) return value.storage;
  const { host, place } = value;
  if (!host) throw new ShapeError("a tensor that this result depends on was disposed of before it was computed");
  if (place) {
    place.pack.block ??= allocate(gpu, place.pack.size);
    value.storage = { block: place.pack.block, offset: place.offset, size: value.bytes };
  } else {
    value.storage = { block: allocate(gpu, value.bytes), offset: 0, size: value.bytes };
  }
  write(gpu, value.storage!, host);
  value.host = null;
  return value.storage!;
}

/**
 * Plans `schedule`. With `leaves`, which says where the leaves of a program lie, values that overwrite a leaf do so.
 * Without, they overwrite a copy of it, so that whatever was recorded from the old elements stays right.
 */
export function plan(gpu: Gpu, schedule: Schedule, leaves?: ReadonlyMap<Value, Storage>): Plan {
  return new Planner(gpu, schedule, leaves).plan();
}

class Planner {
  readonly #places: Map<Value, Storage>;
  /** Where the elements of targets go that are not computed there: no two targets share a place. */
  readonly #targets = new Map<Value, Storage>();
  readonly #commands: Command[] = [];
  readonly #blocks: Block[] = [];
  readonly #free: Block[] = [];
  /** How many reads of a block's values are still to come, for blocks that are shared. */
  readonly #reads = new Map<Value, number>();
  #nodes: Node[] = [];

  /** Values that overwrite a leaf do so where it lies. */
  readonly #inPlace: boolean;

  constructor(readonly gpu: Gpu, readonly schedule: Schedule, leaves?: ReadonlyMap<Value, Storage>) {
    this.#inPlace = leaves !== undefined;
    this.#places = new Map(leaves);
  }

  plan(): Plan {
    this.#nodes = this.schedule.nodes.map((node) => this.#packed(node)).flat();
    for (const node of this.#nodes) for (const input of node.inputs) this.#count(input, 1);
    for (const target of this.schedule.targets) this.#placeTarget(target);
    for (const node of this.#nodes) this.#run(node);
    for (const [target, place] of this.#targets) this.#copy(this.#place(target), place);
    return {
      commands: this.#commands,
      targets: this.schedule.targets.map((target) => this.#targets.get(target) ?? this.#place(target)),
      blocks: this.#blocks,
    };
  }

  #count(value: Value, by: number): number {
    const root = base(value), count = (this.#reads.get(root) ?? 0) + by;
    this.#reads.set(root, count);
    return count;
  }

  /** Gives a target a place that no other has and that is not used again. */
  #placeTarget(target: Value): void {
    const root = base(target), taken = this.#places.has(root) && !this.#overwritten(root);
    if (root.pending && !taken) {
      if (!this.#overwritten(root)) this.#places.set(root, this.#own(root.bytes));
    } else if (target !== root || taken) {
      if (!this.#targets.has(target)) this.#targets.set(target, this.#own(target.bytes));
    }
    this.#count(root, 1);
  }

  #overwritten(value: Value): Value | null {
    const { node } = value;
    const at = node?.op.overwrites?.(node)[node.outputs.indexOf(value)];
    return at === undefined ? null : node!.inputs[at]!;
  }

  /** Memory that is the plan's alone. */
  #own(bytes: number): Storage {
    const storage = allocateStorage(this.gpu, bytes);
    this.#blocks.push(storage.block);
    return storage;
  }

  /** Gives the groups of `node`'s inputs that must lie together a common block, and copies what cannot be put there. */
  #packed(node: Node): Node[] {
    const groups = node.op.packs?.(node);
    if (!groups) return [node];
    const inputs = node.inputs.slice(), copies: Node[] = [];
    const overwritten = node.op.overwrites?.(node) ?? [];
    for (const group of groups) {
      const leaves = group.every((i) => !base(inputs[i]!).pending);
      // Leaves stay where they are, and the op makes do; copies to be overwritten are made side by side.
      if (leaves && (this.#inPlace || !overwritten.includes(group[0]!))) continue;
      const size = group.reduce((sum, i) => sum + align(inputs[i]!.bytes), 0);
      const block = this.#own(size).block;
      let offset = 0;
      for (const i of group) {
        const value = inputs[i]!, root = base(value);
        const storage = { block, offset, size: value.bytes };
        offset += align(value.bytes);
        if (root.pending && !this.#places.has(root) && !this.#overwritten(root)) {
          this.#places.set(root, storage);
        } else {
          const copy = new Node(copyOp, [value], null);
          this.#places.set(copy.outputs[0]!, storage);
          inputs[i] = copy.outputs[0]!;
          copies.push(copy);
        }
        this.#count(root, 1); // Packed values keep their place to the end.
      }
    }
    if (copies.length === 0) return [node];
    const replacement = new Node(node.op, inputs, node.attrs);
    // The outputs keep their identity: others read them.
    (replacement as { outputs: readonly Value[] }).outputs = node.outputs;
    for (const output of node.outputs) output.node = replacement;
    return [...copies, replacement];
  }

  /** Where the elements of `value` are. */
  #place(value: Value): Storage {
    const root = base(value);
    const place = this.#places.get(root);
    if (place) return place;
    if (root.pending) throw new Error(`a value of "${root.node?.op.name}" is used before it is computed`);
    return upload(this.gpu, root);
  }

  #run(node: Node): void {
    const { op } = node;
    if (!op.view) {
      node.outputs.forEach((output) => this.#placeOutput(output));
      if (op === assignOp as unknown) this.#copy(this.#place(node.inputs[1]!), this.#place(node.outputs[0]!));
      else if (op === copyOp as unknown) this.#copy(this.#place(node.inputs[0]!), this.#place(node.outputs[0]!));
      else {
        const target = { place: (value: Value) => this.#place(value), cpu: this.gpu.adapter.cpu };
        const dispatches = op.dispatches?.(node, target) ?? missing(node);
        for (const dispatch of dispatches) this.#dispatch(dispatch);
      }
    }
    for (const output of node.outputs) if ((this.#reads.get(base(output)) ?? 0) === 0) this.#release(base(output));
    for (const input of node.inputs) if (this.#count(input, -1) === 0) this.#release(base(input));
  }

  #placeOutput(output: Value): void {
    if (this.#places.has(output)) return;
    const old = this.#overwritten(output);
    if (!old) {
      this.#places.set(output, this.#slot(output.bytes));
      return;
    }
    const place = this.#place(old);
    const own = this.#inPlace || base(old).pending || this.#blocks.includes(place.block);
    if (own) {
      // The block now serves both values: it must not be reused when the old one has been read for the last time.
      this.#places.set(output, place);
      this.#count(old, 1);
    } else {
      const copy = this.#own(output.bytes);
      this.#copy(place, copy);
      this.#places.set(output, copy);
    }
  }

  /** Memory for an intermediate: the smallest free block that is large enough, and not wastefully large. */
  #slot(bytes: number): Storage {
    const size = align(bytes);
    const fits = this.#free.filter((block) => block.size >= size && block.size <= 4 * size);
    const block = fits.sort((a, b) => a.size - b.size)[0];
    if (!block) return this.#own(bytes);
    this.#free.splice(this.#free.indexOf(block), 1);
    return { block, offset: 0, size: bytes };
  }

  #release(value: Value): void {
    const place = this.#places.get(value);
    if (place && value.pending && this.#overwritten(value) === null) this.#free.push(place.block);
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
    const pipeline = pipelineOf(this.gpu, kernel, constants);
    const storages = bindings.map((bound) => bound instanceof Value ? this.#place(bound) : bound);
    const written = new Set(storages.filter((_, i) => pipeline.bindings[i]!.writes).map((storage) => storage.block));
    const safe = storages.map((storage, i) => {
      if (pipeline.bindings[i]!.writes || !written.has(storage.block)) return storage;
      const apart = this.#own(storage.size); // A dispatch must not read the buffer that it writes.
      this.#copy(storage, apart);
      return apart;
    });
    this.#commands.push({ pipeline: pipeline.pipeline, group: bind(this.gpu, pipeline, safe), grid });
  }
}

function missing(node: Node): never {
  throw new Error(`the op "${node.op.name}" has no kernel`);
}

/** Encodes `commands`, `times` over, into one command buffer and submits it. */
export function submit(gpu: Gpu, commands: readonly Command[], times = 1): void {
  gpu.check();
  const encoder = gpu.device.createCommandEncoder();
  let pass: GPUComputePassEncoder | null = null;
  let pipeline: GPUComputePipeline | null = null;
  for (let i = 0; i < times; i++) {
    for (const command of commands) {
      if ("pipeline" in command) {
        if (!pass) {
          pass = encoder.beginComputePass();
          pipeline = null;
        }
        if (pipeline !== command.pipeline) pass.setPipeline(pipeline = command.pipeline);
        pass.setBindGroup(0, command.group);
        pass.dispatchWorkgroups(command.grid[0], command.grid[1], command.grid[2]);
        counters.dispatches++;
      } else if (command.from.size > 0) {
        pass?.end();
        pass = null;
        const { from, to } = command, size = Math.ceil(from.size / 4) * 4;
        encoder.copyBufferToBuffer(from.block.buffer, from.offset, to.block.buffer, to.offset, size);
      }
    }
  }
  pass?.end();
  gpu.device.queue.submit([encoder.finish()]);
  counters.submits++;
}

/** Makes one block of the given leaves' future storages, so that one kernel can treat them as one array. */
export function packLeaves(values: readonly Value[]): void {
  if (values.some((value) => !value.host || value.place || value.storage)) return;
  const pack: Pack = { block: null, size: values.reduce((sum, value) => sum + align(value.bytes), 0) };
  let offset = 0;
  for (const value of values) {
    value.place = { pack, offset };
    offset += align(value.bytes);
  }
}
