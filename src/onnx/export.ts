/**
 * Networks as ONNX files. `forward` is recorded in evaluation mode, without computing anything, and the graph becomes
 * ONNX's operators, named as PyTorch's exporter names them. It is recorded with two batch sizes: a network whose two graphs
 * differ beyond the extents of the batch is refused, since the file would be right for one size only.
 *
 * @module
 */
import { ShapeError, WeightsError } from "../errors.ts";
import { recorder, withoutGradients, withoutReads } from "../graph/recorder.ts";
import { type Shape, Value } from "../graph/node.ts";
import { encodeOnnx, type OnnxTensor } from "../io/onnx.ts";
import { checkOptions, describe } from "../ops/options.ts";
import { checkShape } from "../ops/shape/shape.ts";
import { readAll, settle } from "../tensor/realize.ts";
import { Tensor } from "../tensor/tensor.ts";
import { holders, watch } from "../tensor/watch.ts";
import { VERSION } from "../version.ts";
import { type Call, watchCalls } from "../nn/calls.ts";
import type { Module } from "../nn/module.ts";
import { ELEMENTWISE } from "./elementwise.ts";
import { LAYERS } from "./layers.ts";
import { BATCH, IMAGES, LOGITS, Lowering, type Trace } from "./lowering.ts";
import { SHAPES } from "./shapes.ts";

/** What an ONNX file says about a network. */
export interface OnnxOptions {
  /** The shape of one input: channels, height and width of an image. */
  readonly shape: Shape;
  /** The names of the classes, in the order of the logits. */
  readonly classes?: readonly string[];
  /** By channel: an input is (byte / 255 − mean) / deviation. */
  readonly normalization?: { readonly mean: readonly number[]; readonly deviation: readonly number[] };
  /** The name of the network. Default: that of its class. */
  readonly name?: string;
}

/** Batch sizes of which an extent is hardly ever a multiple by chance: primes that are larger than most layers. */
const SIZES = [10007, 10009] as const;

/**
 * The bytes of an ONNX file (opset 17) of `module` as it is in evaluation mode: it takes "images" f32 [batch, ...shape],
 * of any batch, and gives "logits" f32 [batch, ...]. Weights have the names of the state dict. The file's metadata are
 * "model", "wgrad" (the version) and, in JSON, "classes", and "mean" and "std" of the normalisation.
 *
 * @throws {WeightsError} where the network computes what ONNX has no operators for, or what depends on the size of the
 * batch, or changes itself in evaluation mode; {ShapeError} where options do not fit.
 */
export async function exportOnnx(module: Module, options: OnnxOptions): Promise<Uint8Array<ArrayBuffer>> {
  const { shape, classes, normalization, name = module.constructor.name } = checked(options);
  const [one, other] = SIZES.map((batch) => new Lowering(record(module, name, shape, batch), RULES));
  checkSame(one!, other!);
  const output = one!.extents(one!.trace.output.shape), count = classes?.length;
  if (output[0] !== BATCH || (count !== undefined && (output.length !== 2 || output[1] !== count))) {
    const wanted = `[${BATCH}, ${count ?? "…"}]`;
    throw new WeightsError(`${name} cannot be written as ONNX: its output is [${output.join(", ")}], not ${wanted}`);
  }
  const initializers = await initializersOf(one!, other!);
  return encodeOnnx({
    name,
    producer: ["wgrad", VERSION],
    inputs: [{ name: IMAGES, shape: [BATCH, ...shape], ...(normalization && { text: scaling(normalization) }) }],
    outputs: [{ name: LOGITS, shape: output }],
    nodes: one!.nodes,
    initializers,
    metadata: {
      model: name,
      wgrad: VERSION,
      ...(classes && { classes: JSON.stringify(classes) }),
      ...(normalization && { mean: JSON.stringify(normalization.mean), std: JSON.stringify(normalization.deviation) }),
    },
  });
}

const RULES = [...ELEMENTWISE, ...SHAPES, ...LAYERS];

const scaling = ({ mean, deviation }: NonNullable<OnnxOptions["normalization"]>) =>
  `(byte / 255 - mean) / std by channel, with mean [${mean.join(", ")}] and std [${deviation.join(", ")}]`;

function checked(options: OnnxOptions): OnnxOptions {
  const action = "exportOnnx";
  checkOptions(options, { shape: [], classes: [], normalization: {}, name: "" }, action);
  const { shape, classes = [], normalization } = options;
  checkShape(shape, `${action}: shape`);
  if (!Array.isArray(classes) || classes.some((one) => typeof one !== "string")) {
    throw new ShapeError(`${action}: classes must be an array of texts, got ${describe(classes)}`);
  }
  for (const [what, list] of Object.entries(normalization ?? {})) {
    if (Array.isArray(list) && list.length === shape[0] && list.every(Number.isFinite)) continue;
    throw new ShapeError(`${action}: ${what} must have a number for each of ${shape[0]} channels, got ${list}`);
  }
  return options;
}

/** Records `forward` for images without elements. The module is left as it was. */
function record(module: Module, network: string, shape: Shape, batch: number): Trace {
  const named = [...module.stateDict(), ...module.namedBuffers()];
  const state = new Map(named.map(([name, { value }]) => [value, name]));
  const input = new Value([batch, ...shape], "f32"), changed = new Map<Tensor, Value>();
  const seen = {
    changes: (tensor: Tensor) => void (changed.has(tensor) || changed.set(tensor, tensor.value)),
    accumulates: () => {},
  };
  const modes = module.namedModules().map(([, one]) => [one, one.training] as const), before = recorder.nextId;
  using calls = watchCalls(module);
  try {
    module.eval();
    const run = () => module.forward(new Tensor(input));
    const output: unknown = withoutReads(() => withoutGradients(() => watch(seen, run)));
    if (output instanceof Promise) output.catch(() => {}); // Its rejection would be unhandled.
    if (!(output instanceof Tensor)) {
      throw new WeightsError(`${network} cannot be written as ONNX: forward gives ${describe(output)}, not a Tensor`);
    }
    // Tensors that forward itself made may change: each run makes them anew.
    if ([...changed.values()].some((value) => value.id < before)) {
      const why = "forward changes a tensor of before, such as a buffer or, in dropout, the generator's state";
      throw new WeightsError(`${network} cannot be written as ONNX: ${why}`);
    }
    return { network, batch, input, output: output.value, state, scopeOf: (value) => scopeOf(value, calls.list) };
  } finally {
    for (const [one, mode] of modes) one.training = mode;
    for (const [tensor, value] of changed) {
      settle(tensor);
      if (value.id < before) tensor.rebind(value);
    }
  }
}

/** The name of the innermost call in which `value` was recorded. As in PyTorch, a module's further calls are numbered. */
function scopeOf({ id }: Value, calls: readonly Call[]): string {
  const call = calls.find(({ start, end }) => id >= start && id < end);
  return !call ? "" : call.name && call.index ? `${call.name}_${call.index}` : call.name;
}

/** Refuses an operator, or the reader of a constant, that is not the same for every batch size. */
function refuse({ trace, nodes }: Lowering, name: string): never {
  const what = nodes.find(({ inputs }) => inputs.includes(name))?.name ?? name;
  const why = "depends on the batch's size, or on chance";
  throw new WeightsError(`${trace.network} cannot be written as ONNX: ${what} ${why}`);
}

/** Checks that both are the same operators of tensors of the same shapes. */
function checkSame(one: Lowering, other: Lowering): void {
  const parts = ({ nodes, made, given }: Lowering) => [
    ...nodes.map((node) => [node.name, JSON.stringify(node)]),
    ...Array.from(made, ([name, { shape, data }]) => [name, `${shape} ${data}`]),
    ...Array.from(given, ([name, { shape }]) => [name, `${shape}`]),
  ];
  const [mine, others] = [parts(one), parts(other)];
  const differs = mine.find(([, text], i) => text !== others[i]?.[1]);
  if (differs || mine.length !== others.length) refuse(one, differs?.[0] ?? "what it computes");
}

/** The initializers of the first, and the check that the second has the same constants. */
async function initializersOf(one: Lowering, other: Lowering): Promise<Map<string, OnnxTensor>> {
  const others = [...other.given.values()], data = await elementsOf(new Set([...one.given.values(), ...others]));
  const read = Array.from(one.given, ([name, value], i): [string, OnnxTensor] => {
    const own = data.get(value)!, again = data.get(others[i]!)!;
    if (own.some((element, k) => !Object.is(element, again[k]))) refuse(one, name);
    return [name, { shape: value.shape, data: own }];
  });
  return new Map([...read, ...one.made]);
}

/** The elements of values of f32, computed or not. */
async function elementsOf(values: ReadonlySet<Value>): Promise<Map<Value, Float32Array>> {
  const list = [...values];
  const tensors = list.map((value) => {
    const holder = holders.get(value);
    return holder?.holds(value) ? holder : new Tensor(value);
  });
  return new Map((await readAll(tensors)).map((data, i) => [list[i]!, data as Float32Array]));
}
