/**
 * Dropout, as `torch.nn.functional` has it. The masks are determined by `manualSeed`; each call draws a new one, also in
 * each run of a program.
 *
 * @module
 */
import { ShapeError } from "../errors.ts";
import * as ops from "../ops/dropout.ts";
import { checkFlag } from "../ops/options.ts";
import { requireType, text } from "../ops/shape/shape.ts";
import { dropoutState } from "../tensor/random_state.ts";
import { Tensor } from "../tensor/tensor.ts";
import { valueOf } from "../tensor/value_of.ts";
import { probability } from "./options.ts";

/**
 * Sets each element of x to 0 with probability p, and multiplies the others by 1/(1 − p), so that the expected value
 * stays the same. If `training` is false or p is 0, it returns x itself. As `torch.nn.functional.dropout`.
 *
 * @throws {ShapeError} if p is not from 0 to 1, or x is not f32.
 */
export function dropout(x: Tensor, p = 0.5, training = true): Tensor {
  return drop(x, p, training, "dropout", null);
}

/**
 * `dropout` of whole channels of x [N, C, H, W], drawn for each image. As `torch.nn.functional.dropout2d`,
 * which also takes other shapes.
 *
 * @throws {ShapeError} if p is not from 0 to 1, or x is not f32 of four dimensions.
 */
export function dropout2d(x: Tensor, p = 0.5, training = true): Tensor {
  const [, , height, width, ...more] = valueOf(x, "dropout2d").shape;
  if (width === undefined || more.length > 0) {
    throw new ShapeError(`dropout2d: expected x of shape [N, C, H, W], got ${text(x.shape)}`);
  }
  return drop(x, p, training, "dropout2d", height! * width);
}

function drop(x: Tensor, p: number, training: boolean, action: string, channel: number | null): Tensor {
  const value = valueOf(x, action);
  requireType(value, "f32", action);
  probability(p, `${action}: p`);
  if (!checkFlag(training, `${action}: training`) || p === 0) return x;
  const [y, next] = ops.dropout(value, dropoutState.value, p, channel);
  dropoutState.assign(next!, action);
  return new Tensor(y!);
}
