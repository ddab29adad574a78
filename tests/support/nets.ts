/**
 * The nets of the golden values, in the library, with make_golden.py's weights and batches.
 *
 * @module
 */

import { F, nn, noGrad, type Tensor, tensor } from "../../src/mod.ts";
import { goldenBatch, goldenWeights } from "./golden.ts";
import { toTensor } from "./gradcheck.ts";

/** Gives a module make_golden.py's weights: parameter i from `seed` + i. */
export function setWeights<M extends nn.Module>(net: M, seed: number): M {
  const parameters = net.parameters();
  noGrad(() => {
    goldenWeights(seed, parameters.map((p) => p.shape)).forEach((w, i) => parameters[i]!.copy_(toTensor(w)));
  });
  return net;
}

/** make_golden.py's SmallNet: images [N, 2, 6, 6] to 4 classes. */
export class SmallNet extends nn.Module {
  conv = new nn.Conv2d(2, 3, 3);
  fc = new nn.Linear(48, 4);

  override forward(x: Tensor): Tensor {
    return this.fc.forward(F.relu(this.conv.forward(x)).flatten(1));
  }
}

/** Batch `index` of make_golden.py as tensors. */
export function batchTensors(index: number, count: number): { images: Tensor; labels: Tensor } {
  const { images, labels } = goldenBatch(index, count);
  return { images: toTensor(images), labels: tensor(labels) };
}
