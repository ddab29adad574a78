/**
 * Initial values of parameters, as in PyTorch's layers.
 *
 * @module
 */
import type { Shape } from "../graph/node.ts";
import { uniform } from "../tensor/create.ts";
import type { Tensor } from "../tensor/tensor.ts";

/**
 * A parameter, uniform in ±1/√fanIn. For weights this is `kaiming_uniform_(a=√5)`, the default of PyTorch's layers; the
 * biases have the same bound.
 *
 * @param fanIn the number of inputs of an output.
 */
export function defaultParameter(shape: Shape, fanIn: number): Tensor {
  const bound = 1 / Math.sqrt(fanIn);
  return uniform(shape, -bound, bound, { requiresGrad: true });
}
