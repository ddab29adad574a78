/**
 * What a user should know about a step before the first one starts.
 *
 * @module
 */
import type { AdapterKind } from "../backend/adapter.ts";

/** Multiply-adds per second, roughly, of training steps with large batches: measured with LeNet. */
const GPU_SPEED = 4e11, PROCESSOR_SPEED = 4e9;

/** The seconds from which a step is announced. */
const LONG_SECONDS = 3;

/** What the notices depend on. */
export interface StepSize {
  readonly batchSize: number;
  readonly accumulate: number;
  /** The number of training images. */
  readonly images: number;
  /** The multiply-adds of the network for one image, forward only. */
  readonly multiplyAdds: number;
  readonly kind: AdapterKind;
}

/** The lines to print: about a batch that is larger than the data, and about a step that takes long. */
export function stepNotices({ batchSize, accumulate, images, multiplyAdds, kind }: StepSize): string[] {
  const lines: string[] = [], inStep = Math.min(batchSize * accumulate, images);
  if (batchSize > images) {
    lines.push(`NOTE: --batch-size ${batchSize} is more than the ${images} training images: each epoch is one step.`);
  }
  // The backward pass takes about twice as long as the forward pass.
  const seconds = 3 * multiplyAdds * inStep / (kind === "gpu" ? GPU_SPEED : PROCESSOR_SPEED);
  if (seconds > LONG_SECONDS) {
    const about = Number(seconds.toPrecision(1));
    lines.push(
      `NOTE: a step of ${inStep} images may take about ${about} s here, in which nothing is shown and Ctrl-C has to wait.`,
    );
  }
  return lines;
}
