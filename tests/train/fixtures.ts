/**
 * Small data sets and runs for the tests of training.
 *
 * @module
 */
import type { Batch, Dataset, Split } from "../../src/data/dataset.ts";
import { openSynthetic } from "../../src/data/synthetic.ts";
import type { Backend } from "../../src/backend/backend.ts";
import { requestBackend } from "../../src/backend/request.ts";
import { makeConfig } from "../../src/config/config.ts";
import type { GivenConfig } from "../../src/config/settings.ts";
import { makeTrainer } from "../../src/run/make_trainer.ts";
import type { Progress, Trainer } from "../../src/train/trainer.ts";

/** A few of the synthetic images. */
export function images(trainCount: number, testCount = 10): Dataset {
  return openSynthetic({ trainCount, testCount });
}

/** All records of a split as one batch. */
export async function allOf(split: Split): Promise<Batch> {
  const labels = new Uint8Array(split.count);
  let pixels = new Uint8Array(0), done = 0;
  for await (const batch of split.records()) {
    const size = batch.pixels.length / batch.count;
    if (done === 0) pixels = new Uint8Array(split.count * size);
    pixels.set(batch.pixels, done * size);
    labels.set(batch.labels, done);
    done += batch.count;
  }
  return { count: split.count, labels, pixels };
}

/** A trainer over these images, batch 4 unless `given` says otherwise. */
export async function trainerOf(dataset: Dataset, given: GivenConfig = {}): Promise<Trainer> {
  const gpu: Backend = await requestBackend();
  return await makeTrainer(gpu, makeConfig({ lr: 0.01, ...given }), dataset);
}

/** Trains to the end, or until it is stopped. @param atStop is waited for at each stop. */
export async function train(
  trainer: Trainer,
  report: (progress: Progress) => void = () => {},
  atStop: () => Promise<void> = () => Promise.resolve(),
): Promise<void> {
  for await (const chunk of trainer.chunks()) {
    if (chunk.kind === "steps") report(chunk.progress);
    else await atStop();
  }
}

/** Trains to the end. @returns the reports, and every loss in order. */
export async function trained(trainer: Trainer): Promise<{ reports: Progress[]; losses: number[] }> {
  const reports: Progress[] = [];
  await train(trainer, (progress) => reports.push(progress));
  return { reports, losses: reports.flatMap(({ losses }) => [...losses]) };
}

/** The values of all of a module's parameters, one behind the other. */
export async function weightsOf({ model }: Trainer): Promise<Float32Array> {
  const parts = await Promise.all(model.parameters().map((one) => one.data()));
  return Float32Array.from(parts.flatMap((part) => [...part]));
}
