/**
 * `nn`: modules.
 *
 * @module
 */
export {
  Conv2d,
  type Conv2dLayerOptions,
  CrossEntropyLoss,
  Flatten,
  Linear,
  MaxPool2d,
  MSELoss,
  ReLU,
  Sequential,
} from "./layers.ts";
export * as models from "./models.ts";
export { Module } from "./module.ts";
