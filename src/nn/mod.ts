/**
 * `nn`: modules.
 *
 * @module
 */
export { Conv2d, type Conv2dLayerOptions, Flatten, Linear, MaxPool2d, ReLU, Sequential } from "./layers.ts";
export { BCEWithLogitsLoss, CrossEntropyLoss, HuberLoss, L1Loss, MSELoss, NLLLoss, SmoothL1Loss } from "./losses.ts";
export * as models from "./models.ts";
export { Module } from "./module.ts";
