/**
 * `nn.models`: networks, and the registry of them by name.
 *
 * @module
 */
export { lenet, lenetGray, Net, NeuralNet } from "./lenet.ts";
export type { ImageShape, ModelOptions } from "./model.ts";
export { type ModelEntry, type ModelName, MODELS } from "./registry.ts";
