/**
 * The models that `wgrad train --model` knows.
 *
 * @module
 */
import type { Tensor } from "../tensor/tensor.ts";
import * as F from "../nn/functional.ts";
import { Conv2d, Linear, MaxPool2d } from "../nn/layers.ts";
import { Module } from "../nn/module.ts";

/** The network of PyTorch's CIFAR-10 tutorial: x [N, 3, 32, 32] to logits [N, 10], 62,006 parameters. */
export class Net extends Module {
  readonly conv1 = new Conv2d(3, 6, 5);
  readonly pool = new MaxPool2d(2, { stride: 2 });
  readonly conv2 = new Conv2d(6, 16, 5);
  readonly fc1 = new Linear(16 * 5 * 5, 120);
  readonly fc2 = new Linear(120, 84);
  readonly fc3 = new Linear(84, 10);

  override forward(x: Tensor): Tensor {
    x = this.pool.forward(F.relu(this.conv1.forward(x)));
    x = this.pool.forward(F.relu(this.conv2.forward(x)));
    x = x.flatten(1);
    x = F.relu(this.fc1.forward(x));
    x = F.relu(this.fc2.forward(x));
    return this.fc3.forward(x);
  }
}

/** The network of PyTorch's "Neural Networks" tutorial: x [N, 1, 32, 32] to logits [N, 10]. */
export class NeuralNet extends Module {
  readonly conv1 = new Conv2d(1, 6, 5);
  readonly conv2 = new Conv2d(6, 16, 5);
  readonly fc1 = new Linear(16 * 5 * 5, 120);
  readonly fc2 = new Linear(120, 84);
  readonly fc3 = new Linear(84, 10);

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
export const lenet = (): Net => new Net();
/** A new `NeuralNet`: PyTorch's "Neural Networks" tutorial, one channel. */
export const lenetGray = (): NeuralNet => new NeuralNet();

/** By the name that `--model` takes: how to make the model, and the channels of its input. */
export const MODELS = {
  "lenet": { make: lenet, channels: 3 },
  "lenet-gray": { make: lenetGray, channels: 1 },
} as const;
