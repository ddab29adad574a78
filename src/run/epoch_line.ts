/**
 * The line about an epoch that has ended.
 *
 * @module
 */
import type { Sums, Trainer } from "../train/trainer.ts";

/**
 * The mean loss of the steps of an epoch, and the share of their images that were classified correctly: by the weights
 * before each step, and in training mode, as for the loss.
 */
export function epochLine(
  { epochs, stepsPerEpoch }: Pick<Trainer, "epochs" | "stepsPerEpoch">,
  epoch: number,
  { steps, loss, images, correct }: Sums,
): string {
  const accuracy = images === 0 ? "not counted" : `${(100 * correct / images).toFixed(2)} %`;
  // --max-steps ends an epoch early. A checkpoint of another batch size, or of an older version, has no sums.
  const part = steps < stepsPerEpoch ? ` (${steps} of ${stepsPerEpoch} steps)` : "";
  return `epoch ${epoch}/${epochs}: training loss ${(loss / steps).toFixed(3)}, training accuracy ${accuracy}${part}`;
}
