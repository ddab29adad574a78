/**
 * The layers of activations. Each is the function of `F` with its name.
 *
 * @module
 */
import { ShapeError } from "../errors.ts";
import { describe, f32 } from "../ops/options.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { logSoftmax, softmax } from "./functional.ts";
import * as F from "./functional_activation.ts";
import { Module } from "./module.ts";
import { pythonFloat } from "./python_text.ts";

/** `F.sigmoid`. */
export class Sigmoid extends Module {
  override forward(x: Tensor): Tensor {
    return F.sigmoid(x);
  }
}

/** `F.tanh`. */
export class Tanh extends Module {
  override forward(x: Tensor): Tensor {
    return F.tanh(x);
  }
}

/** `F.silu`. */
export class SiLU extends Module {
  override forward(x: Tensor): Tensor {
    return F.silu(x);
  }
}

/** `F.logSigmoid`. */
export class LogSigmoid extends Module {
  override forward(x: Tensor): Tensor {
    return F.logSigmoid(x);
  }
}

/** `F.relu6`. */
export class ReLU6 extends Module {
  override forward(x: Tensor): Tensor {
    return F.relu6(x);
  }
}

/** `F.hardswish`. */
export class Hardswish extends Module {
  override forward(x: Tensor): Tensor {
    return F.hardswish(x);
  }
}

/** `F.leakyRelu` with a slope of 0.01 by default. */
export class LeakyReLU extends Module {
  constructor(readonly negativeSlope = 0.01) {
    super();
    f32(negativeSlope, "LeakyReLU: negativeSlope");
  }

  override forward(x: Tensor): Tensor {
    return F.leakyRelu(x, this.negativeSlope);
  }

  override extraRepr(): string {
    return `negative_slope=${pythonFloat(this.negativeSlope)}`;
  }
}

/** `F.elu` with an alpha of 1 by default. */
export class ELU extends Module {
  constructor(readonly alpha = 1) {
    super();
    f32(alpha, "ELU: alpha");
  }

  override forward(x: Tensor): Tensor {
    return F.elu(x, this.alpha);
  }

  override extraRepr(): string {
    return `alpha=${pythonFloat(this.alpha)}`;
  }
}

/** `F.hardtanh` from −1 to 1 by default. */
export class Hardtanh extends Module {
  constructor(readonly minVal = -1, readonly maxVal = 1) {
    super();
    F.checkRange(minVal, maxVal);
  }

  override forward(x: Tensor): Tensor {
    return F.hardtanh(x, this.minVal, this.maxVal);
  }

  override extraRepr(): string {
    return `min_val=${pythonFloat(this.minVal)}, max_val=${pythonFloat(this.maxVal)}`;
  }
}

/** `F.gelu`. */
export class GELU extends Module {
  constructor(readonly options: F.GeluOptions = {}) {
    super();
    F.geluOf(options);
  }

  override forward(x: Tensor): Tensor {
    return F.gelu(x, this.options);
  }

  override extraRepr(): string {
    return `approximate='${this.options.approximate ?? "none"}'`;
  }
}

/** `F.softplus`. */
export class Softplus extends Module {
  constructor(readonly options: F.SoftplusOptions = {}) {
    super();
    F.softplusOf(options);
  }

  override forward(x: Tensor): Tensor {
    return F.softplus(x, this.options);
  }

  override extraRepr(): string {
    const [beta, threshold] = F.softplusOf(this.options);
    return `beta=${beta}, threshold=${threshold}`;
  }
}

abstract class AlongDim extends Module {
  /** @throws {ShapeError} if `dim` is no whole number. */
  constructor(readonly dim = -1) {
    super();
    if (Number.isInteger(dim)) return;
    throw new ShapeError(`${new.target.name}: dim must be a whole number, got ${describe(dim)}`);
  }

  override extraRepr(): string {
    return `dim=${this.dim}`;
  }
}

/** `F.softmax` along `dim`: by default the last; PyTorch guesses and warns. */
export class Softmax extends AlongDim {
  override forward(x: Tensor): Tensor {
    return softmax(x, this.dim);
  }
}

/** `F.logSoftmax` along `dim`: by default the last; PyTorch guesses and warns. */
export class LogSoftmax extends AlongDim {
  override forward(x: Tensor): Tensor {
    return logSoftmax(x, this.dim);
  }
}

/** Returns x itself. It can take the place of a layer. */
export class Identity extends Module {
  override forward(x: Tensor): Tensor {
    return x;
  }
}
