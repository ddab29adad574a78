/**
 * From the recorded graph to ONNX's operators: their names, constants, and the methods that the rules of the other files
 * use. A graph is lowered for one batch size; an extent that is a multiple of that size is assumed to contain the batch.
 *
 * @module
 */
import { WeightsError } from "../errors.ts";
import type { Node, Op, Shape, Value } from "../graph/node.ts";
import { is } from "../ops/op.ts";
import type { OnnxAttribute, OnnxExtent, OnnxNode, OnnxTensor } from "../io/onnx.ts";

/** Adds the operators for a node. @returns the name of the tensor that is its first output; null for nodes of other ops. */
export type Rule = (node: Node, to: Lowering) => string | null;

/** The rule for nodes of `op` and its forms: `lower` adds the operators, and returns the name of their result. */
export const rule = <A>(op: Op<A>, lower: (node: Node<A>, to: Lowering) => string): Rule => (node, to) =>
  is(node, op) ? lower(node, to) : null;

/** The graph that `forward` recorded. */
export interface Trace {
  /** The name of the network, for errors. */
  readonly network: string;
  readonly batch: number;
  readonly input: Value;
  readonly output: Value;
  /** Parameters and buffers, by the names that state dicts have. */
  readonly state: ReadonlyMap<Value, string>;
  /** The dotted name of the module that recorded a value; "" for the network itself. */
  scopeOf(value: Value): string;
}

/** The names of the graph's input, its output, and the extent of the batch. */
export const IMAGES = "images", LOGITS = "logits", BATCH = "batch";

/** A network as operators of ONNX, without the elements of parameters, buffers and computed constants. */
export class Lowering {
  readonly nodes: OnnxNode[] = [];
  /** Constants that the rules added, by name. */
  readonly made = new Map<string, OnnxTensor>();
  /** Values that were given or computed outside of the graph, by name: parameters, buffers, constants. */
  readonly given = new Map<string, Value>();
  readonly #names = new Map<Value, string>();
  readonly #taken = new Set<string>([IMAGES, LOGITS]);
  readonly #reused = new Map<string, string>();
  #scope = "";

  constructor(readonly trace: Trace, rules: readonly Rule[]) {
    for (const name of trace.state.values()) {
      if (name === IMAGES || name === LOGITS) {
        this.refuse(`its tensor ${name} would have the name of its input or output`);
      }
      this.#taken.add(name);
    }
    this.#names.set(trace.input, IMAGES);
    for (const node of this.#reached()) {
      this.#scope = trace.scopeOf(node.outputs[0]!);
      this.#names.set(node.outputs[0]!, this.#lower(node, rules));
    }
    this.#scope = "";
    this.#finish();
  }

  #lower(node: Node, rules: readonly Rule[]): string {
    for (const lower of rules) {
      const name = lower(node, this);
      if (name !== null) return name;
    }
    return this.refuse(`${node.op.name} has no counterpart there`);
  }

  /** The nodes that the output is computed by from the input and the state, in the order of their recording. */
  #reached(): Node[] {
    const { input, output, state } = this.trace, found = new Set<Node>(), open = [output];
    for (let value = open.pop(); value; value = open.pop()) {
      if (value === input || state.has(value) || !value.pending || found.has(value.node!)) continue;
      found.add(value.node!);
      open.push(...value.node!.inputs);
    }
    const nodes = [...found].sort((a, b) => a.outputs[0]!.id - b.outputs[0]!.id);
    const live = new Set([input, ...state.keys()]);
    // The other nodes are constants: they are computed now, not by the graph, unless they depend on the batch's size.
    return nodes.filter((node) => {
      const sized = node.outputs[0]!.shape.some((extent) => this.batches(extent) > 0);
      const kept = sized || node.inputs.some((one) => live.has(one));
      if (kept) { for (const one of node.outputs) live.add(one); }
      return kept;
    });
  }

  /** Gives the output its name, and drops what it does not need: a rule may have read past an earlier node. */
  #finish(): void {
    const last = this.name(this.trace.output), made = this.nodes.some(({ outputs }) => outputs[0] === last);
    const from = made ? last : this.emit("Identity", [last]), needed = new Set([LOGITS]);
    const nodes = this.nodes.map((node) => ({
      ...node,
      inputs: node.inputs.map((one) => one === from ? LOGITS : one),
      outputs: node.outputs.map((one) => one === from ? LOGITS : one),
    })).reverse().filter(({ inputs, outputs }) => {
      const kept = needed.has(outputs[0]!);
      if (kept) { for (const one of inputs) needed.add(one); }
      return kept;
    });
    this.nodes.splice(0, this.nodes.length, ...nodes.reverse());
    for (const map of [this.made, this.given]) {
      for (const name of map.keys()) if (!needed.has(name)) map.delete(name);
    }
  }

  /** @throws {WeightsError} that says what ONNX cannot express. */
  refuse(why: string): never {
    const where = this.#scope && ` (in ${this.#scope})`;
    throw new WeightsError(`${this.trace.network} cannot be written as ONNX: ${why}${where}`);
  }

  /** The name of a value: that of the input, of a tensor that a node made, of a parameter, or of a constant. */
  name(value: Value): string {
    const known = this.#names.get(value);
    if (known !== undefined) return known;
    if (value.dtype !== "f32") this.refuse(`it computes with ${value.dtype}, and not with f32 alone`);
    const state = this.trace.state.get(value);
    if (state === undefined && value.node?.outputs.indexOf(value)! > 0) {
      this.refuse(`an output of ${value.node!.op.name} other than the first has no counterpart there`);
    }
    const name = state ?? this.#unique("constant");
    this.given.set(name, value);
    this.#names.set(value, name);
    return name;
  }

  /** Adds an operator. @returns the name of its output. */
  emit(op: string, inputs: readonly string[], attributes: Readonly<Record<string, OnnxAttribute>> = {}): string {
    const name = this.#unique(`${this.#scope && `/${this.#scope.replaceAll(".", "/")}`}/${op}`);
    const output = this.#unique(`${name}_output_0`);
    this.nodes.push({ name, op, inputs, outputs: [output], attributes });
    return output;
  }

  /** A constant that is not in the recorded graph. Equal ones are one. @returns its name. */
  constant(hint: string, data: OnnxTensor["data"], shape: readonly number[] = [data.length]): string {
    const key = `${data.constructor.name} ${shape} ${data}`;
    let name = this.#reused.get(key);
    if (name === undefined) {
      name = this.#unique(hint);
      this.#reused.set(key, name);
      this.made.set(name, { shape, data });
    }
    return name;
  }

  /** A number that operators take as an input. */
  scalar(value: number): string {
    return this.constant("scalar", Float32Array.of(value), []);
  }

  /** A list of integers that operators take as an input. */
  integers(hint: string, list: readonly number[]): string {
    return this.constant(hint, BigInt64Array.from(list, BigInt));
  }

  /** An extent over the batch's size; 0 where the extent does not depend on the batch. */
  batches(extent: number): number {
    return extent % this.trace.batch === 0 ? extent / this.trace.batch : 0;
  }

  /** A shape whose extents are those of any batch. */
  extents(shape: Shape): OnnxExtent[] {
    return shape.map((extent) => {
      const times = this.batches(extent);
      return times === 0 ? extent : times === 1 ? BATCH : `${times} * ${BATCH}`;
    });
  }

  /** The tensor `x` of shape `from` under another shape. @returns its name, `x` where the shape is the same. */
  reshape(x: string, from: Shape, to: Shape): string {
    if (from.length === to.length && from.every((extent, i) => extent === to[i])) return x;
    const free = to.flatMap((extent, i) => this.batches(extent) > 0 ? [i] : []);
    if (to.length === 2 && free[0] === 0 && from[0] === to[0]) return this.emit("Flatten", [x], { axis: 1 });
    // 0 stands for the input's extent at the same index, -1 for what is left.
    const kept = free.length > 1 ? free.filter((i) => to[i] === from[i]) : [];
    if (free.length - kept.length > 1) this.refuse("a shape has the batch in several extents");
    const shape = to.map((extent, i) => kept.includes(i) ? 0 : free.includes(i) ? -1 : extent);
    return this.emit("Reshape", [x, this.integers("shape", shape)]);
  }

  #unique(wanted: string): string {
    let name = wanted;
    for (let i = 1; this.#taken.has(name); i++) name = `${wanted}_${i}`;
    this.#taken.add(name);
    return name;
  }
}
