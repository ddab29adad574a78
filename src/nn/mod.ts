/**
 * `nn`: modules.
 *
 * @module
 */
export {
  ELU,
  GELU,
  Hardswish,
  Hardtanh,
  Identity,
  LeakyReLU,
  LogSigmoid,
  LogSoftmax,
  ReLU6,
  Sigmoid,
  SiLU,
  Softmax,
  Softplus,
  Tanh,
} from "./activations.ts";
export { Dropout, Dropout2d } from "./dropout.ts";
export * as init from "./init.ts";
export { Conv2d, type Conv2dLayerOptions, Flatten, Linear, MaxPool2d, ReLU, Sequential } from "./layers.ts";
export { BCEWithLogitsLoss, CrossEntropyLoss, HuberLoss, L1Loss, MSELoss, NLLLoss, SmoothL1Loss } from "./losses.ts";
export * as models from "./models.ts";
export { Module } from "./module.ts";
export {
  BatchNorm1d,
  BatchNorm2d,
  type BatchNormLayerOptions,
  GroupNorm,
  type GroupNormOptions,
  LayerNorm,
  type LayerNormOptions,
} from "./norm.ts";
export {
  AdaptiveAvgPool2d,
  AvgPool2d,
  ConvTranspose2d,
  type ConvTranspose2dLayerOptions,
  ReflectionPad2d,
  ReplicationPad2d,
  Residual,
  Upsample,
  ZeroPad2d,
} from "./spatial.ts";
export * as utils from "./utils.ts";
