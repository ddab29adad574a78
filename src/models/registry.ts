/**
 * The one list of networks. Every command takes the names, the sizes of the images and the number of classes from here.
 *
 * @module
 */
import type { Module } from "../nn/module.ts";
import { LENET, lenet, LENET_GRAY, lenetGray } from "./lenet.ts";
import type { ImageShape, ModelOptions } from "./model.ts";

/** A network of the registry. */
export interface ModelEntry {
  /** The shape of one image, unless another is given. One channel: images in colour are made grey. */
  readonly input: ImageShape;
  /** The number of classes, unless another is given. */
  readonly classes: number;
  /**
   * Makes the network, with new weights.
   *
   * @throws {ShapeError} if an option is unknown or out of range.
   */
  make(options?: ModelOptions): Module;
}

/** The networks by the names that `--model` takes. */
export const MODELS = {
  "lenet": { ...LENET, make: lenet },
  "lenet-gray": { ...LENET_GRAY, make: lenetGray },
} as const satisfies Readonly<Record<string, ModelEntry>>;

/** The name of a network. */
export type ModelName = keyof typeof MODELS;

/** The names of all networks. */
export const MODEL_NAMES = Object.keys(MODELS) as readonly ModelName[];

/** The network where none is named, neither by the user nor by a file of weights. */
export const DEFAULT_MODEL = "lenet" satisfies ModelName;
