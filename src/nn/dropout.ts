/**
 * The layers of dropout.
 *
 * @module
 */
import type { Tensor } from "../tensor/tensor.ts";
import * as F from "./functional_dropout.ts";
import { Module } from "./module.ts";
import { probability } from "./options.ts";
import { pythonNumber } from "./python_text.ts";

abstract class AnyDropout extends Module {
  /** @throws {ShapeError} if p, the probability of being dropped, is not from 0 to 1. */
  constructor(readonly p = 0.5) {
    super();
    probability(p, `${new.target.name}: p`);
  }

  override extraRepr(): string {
    return `p=${pythonNumber(this.p)}, inplace=False`;
  }
}

/** `F.dropout` with probability p (default 0.5) in training, and nothing in evaluation. There is no `inplace`. */
export class Dropout extends AnyDropout {
  override forward(x: Tensor): Tensor {
    return F.dropout(x, this.p, this.training);
  }
}

/** `F.dropout2d`: drops whole channels of [N, C, H, W]. Otherwise as `Dropout`. */
export class Dropout2d extends AnyDropout {
  override forward(x: Tensor): Tensor {
    return F.dropout2d(x, this.p, this.training);
  }
}
