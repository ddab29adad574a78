/**
 * Losses: modules with the names, options, defaults and printed form of `torch.nn`, over the functions of `F`. Their
 * weights are not part of `stateDict()`; in PyTorch they are buffers.
 *
 * @module
 */
import type { Tensor } from "../tensor/tensor.ts";
import * as F from "./loss_functions.ts";
import { bceOptions, crossEntropyOptions, huberOptions, nllOptions, plainOptions, smoothL1Options } from "./options.ts";
import { Module } from "./module.ts";

/** Cross-entropy of logits, and labels or probabilities. See `F.crossEntropy`. */
export class CrossEntropyLoss extends Module {
  constructor(readonly options: F.CrossEntropyOptions = {}) {
    super();
    crossEntropyOptions(options);
  }

  override forward(logits: Tensor, targets: Tensor): Tensor {
    return F.crossEntropy(logits, targets, this.options);
  }
}

/** The negative log-likelihood of log-probabilities and labels. See `F.nllLoss`. */
export class NLLLoss extends Module {
  constructor(readonly options: F.NllLossOptions = {}) {
    super();
    nllOptions(options);
  }

  override forward(p: Tensor, labels: Tensor): Tensor {
    return F.nllLoss(p, labels, this.options);
  }
}

/** The squared differences. See `F.mseLoss`. */
export class MSELoss extends Module {
  constructor(readonly options: F.LossOptions = {}) {
    super();
    plainOptions(options, "mseLoss");
  }

  override forward(x: Tensor, y: Tensor): Tensor {
    return F.mseLoss(x, y, this.options);
  }
}

/** The magnitudes of the differences. See `F.l1Loss`. */
export class L1Loss extends Module {
  constructor(readonly options: F.LossOptions = {}) {
    super();
    plainOptions(options, "l1Loss");
  }

  override forward(x: Tensor, y: Tensor): Tensor {
    return F.l1Loss(x, y, this.options);
  }
}

/** The differences, squared if they are small. See `F.smoothL1Loss`. */
export class SmoothL1Loss extends Module {
  constructor(readonly options: F.SmoothL1LossOptions = {}) {
    super();
    smoothL1Options(options);
  }

  override forward(x: Tensor, y: Tensor): Tensor {
    return F.smoothL1Loss(x, y, this.options);
  }
}

/** The differences, squared if they are small. See `F.huberLoss`. */
export class HuberLoss extends Module {
  constructor(readonly options: F.HuberLossOptions = {}) {
    super();
    huberOptions(options);
  }

  override forward(x: Tensor, y: Tensor): Tensor {
    return F.huberLoss(x, y, this.options);
  }
}

/** Binary cross-entropy of logits. See `F.binaryCrossEntropyWithLogits`. */
export class BCEWithLogitsLoss extends Module {
  constructor(readonly options: F.BCEWithLogitsLossOptions = {}) {
    super();
    bceOptions(options);
  }

  override forward(logits: Tensor, targets: Tensor): Tensor {
    return F.binaryCrossEntropyWithLogits(logits, targets, this.options);
  }
}
