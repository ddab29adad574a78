/**
 * LeNet, in the two forms of PyTorch's tutorials.
 *
 * @module
 */
import * as F from "../nn/functional.ts";
import { Conv2d, Linear, MaxPool2d } from "../nn/layers.ts";
import { Module } from "../nn/module.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { type ImageShape, type ModelOptions, modelOptions } from "./model.ts";

/** The input and the classes of PyTorch's CIFAR-10 tutorial. */
export const LENET = { input: [3, 32, 32], classes: 10 } as const satisfies ModelOptions;

/** The input and the classes of PyTorch's "Neural Networks" tutorial. */
export const LENET_GRAY = { input: [1, 32, 32], classes: 10 } as const satisfies ModelOptions;

/** The smallest side of which the convolutions and pools leave a pixel. */
const SMALLEST = 16;

/** The number of values that the convolutions and pools leave of an image: 16 channels of H × W pixels. */
function features([_, height, width]: ImageShape): number {
  const left = (side: number) => Math.floor((Math.floor((side - 4) / 2) - 4) / 2);
  return 16 * left(height) * left(width);
}

/** The network of PyTorch's CIFAR-10 tutorial. By default x [N, 3, 32, 32] to logits [N, 10], with 62,006 parameters. */
export class Net extends Module {
  readonly conv1: Conv2d;
  readonly pool: MaxPool2d;
  readonly conv2: Conv2d;
  readonly fc1: Linear;
  readonly fc2: Linear;
  readonly fc3: Linear;

  /** @throws {ShapeError} if an option is unknown or out of range. */
  constructor(options: ModelOptions = {}) {
    super();
    const { input, classes } = modelOptions(options, LENET, SMALLEST, "lenet");
    this.conv1 = new Conv2d(input[0], 6, 5);
    this.pool = new MaxPool2d(2, { stride: 2 });
    this.conv2 = new Conv2d(6, 16, 5);
    this.fc1 = new Linear(features(input), 120);
    this.fc2 = new Linear(120, 84);
    this.fc3 = new Linear(84, classes);
  }

  override forward(x: Tensor): Tensor {
    x = this.pool.forward(F.relu(this.conv1.forward(x)));
    x = this.pool.forward(F.relu(this.conv2.forward(x)));
    x = x.flatten(1);
    x = F.relu(this.fc1.forward(x));
    x = F.relu(this.fc2.forward(x));
    return this.fc3.forward(x);
  }
}

/** The network of PyTorch's "Neural Networks" tutorial. By default x [N, 1, 32, 32] to logits [N, 10]. */
export class NeuralNet extends Module {
  readonly conv1: Conv2d;
  readonly conv2: Conv2d;
  readonly fc1: Linear;
  readonly fc2: Linear;
  readonly fc3: Linear;

  /** @throws {ShapeError} if an option is unknown or out of range. */
  constructor(options: ModelOptions = {}) {
    super();
    const { input, classes } = modelOptions(options, LENET_GRAY, SMALLEST, "lenetGray");
    this.conv1 = new Conv2d(input[0], 6, 5);
    this.conv2 = new Conv2d(6, 16, 5);
    this.fc1 = new Linear(features(input), 120);
    this.fc2 = new Linear(120, 84);
    this.fc3 = new Linear(84, classes);
  }

  override forward(x: Tensor): Tensor {
    x = F.maxPool2d(F.relu(this.conv1.forward(x)), [2, 2]);
    x = F.maxPool2d(F.relu(this.conv2.forward(x)), 2);
    x = x.flatten(1);
    x = F.relu(this.fc1.forward(x));
    x = F.relu(this.fc2.forward(x));
    return this.fc3.forward(x);
  }
}

/** A new `Net`: PyTorch's CIFAR-10 tutorial. */
export const lenet = (options?: ModelOptions): Net => new Net(options);

/** A new `NeuralNet`: PyTorch's "Neural Networks" tutorial, one channel. */
export const lenetGray = (options?: ModelOptions): NeuralNet => new NeuralNet(options);
