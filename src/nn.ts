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
} from "./nn/activations.ts";
export { Dropout, Dropout2d } from "./nn/dropout.ts";
export * as init from "./nn/init.ts";
export { Conv2d, type Conv2dLayerOptions, Flatten, Linear, MaxPool2d, ReLU, Sequential } from "./nn/layers.ts";
export { BCEWithLogitsLoss, CrossEntropyLoss, HuberLoss, L1Loss, MSELoss, NLLLoss, SmoothL1Loss } from "./nn/losses.ts";
export * as models from "./models/mod.ts";
export { Module } from "./nn/module.ts";
export {
  BatchNorm1d,
  BatchNorm2d,
  type BatchNormLayerOptions,
  GroupNorm,
  type GroupNormOptions,
  LayerNorm,
  type LayerNormOptions,
} from "./nn/norm.ts";
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
} from "./nn/spatial.ts";
export * as utils from "./nn/utils.ts";
