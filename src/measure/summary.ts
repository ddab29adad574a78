/**
 * What a model consists of: its layers with the shapes that they make, their parameters and multiply-adds. The model is run
 * on an image without elements: its graph is recorded, and nothing is computed.
 *
 * @module
 */
import { type Node, type Shape, Value } from "../graph/node.ts";
import { type Call, watchCalls } from "../nn/calls.ts";
import type { Module } from "../nn/module.ts";
import { noGrad } from "../tensor/create.ts";
import { Tensor } from "../tensor/tensor.ts";

/** One call of a layer. */
export interface Layer {
  /** The module's dotted name; "" is the model itself. */
  readonly name: string;
  /** The module's class, such as `Conv2d`. */
  readonly kind: string;
  /** The shape of what the layer returns, with the batch. */
  readonly output: Shape;
  /** The elements of the module's own parameters; 0 where an earlier layer has counted them. */
  readonly parameters: number;
  /** The multiply-adds for one image: those of convolutions and matrix products, without the addition of a bias. */
  readonly multiplyAdds: number;
}

/**
 * The layers of `model` in the order in which they are called, for images of `shape` [N, C, H, W]. Modules that hold
 * others are not listed, unless they have parameters or multiply-adds of their own.
 *
 * @throws {ShapeError} where the model does not take such images.
 */
export function layersOf(model: Module, shape: Shape): Layer[] {
  const training = new Map(model.namedModules().map(([, one]) => [one, one.training]));
  using watched = watchCalls(model);
  const calls = watched.list;
  let last: Tensor;
  model.eval(); // In training mode, modules such as batch norm would change their state.
  try {
    last = noGrad(() => model.forward(new Tensor(new Value(shape, "f32"))));
  } finally {
    for (const [module, mode] of training) module.training = mode;
  }
  // Calls inside others end before them: the first call that has a node is the innermost.
  const work = new Map<Call, number>(), counted = new Set<Tensor>();
  for (const node of nodesBehind(last.value)) {
    const id = node.outputs[0]!.id, call = calls.find(({ start, end }) => start <= id && id < end)!;
    work.set(call, (work.get(call) ?? 0) + (node.op.multiplyAdds?.(node) ?? 0));
  }
  return calls.flatMap((call) => {
    const { name, module, output: { shape: output } } = call, multiplyAdds = (work.get(call) ?? 0) / shape[0]!;
    const own = module.namedParameters().filter(([path, one]) => !path.includes(".") && !counted.has(one));
    for (const [, one] of own) counted.add(one);
    const parameters = own.reduce((sum, [, one]) => sum + one.numel, 0);
    if (module.namedChildren().length > 0 && parameters + multiplyAdds === 0) return [];
    return [{ name, kind: module.constructor.name, output, parameters, multiplyAdds }];
  });
}

function nodesBehind(value: Value): Set<Node> {
  const found = new Set<Node>(), open = [value];
  for (let next = open.pop(); next; next = open.pop()) {
    const { node } = next;
    if (!node || found.has(node)) continue;
    found.add(node);
    open.push(...node.inputs);
  }
  return found;
}
