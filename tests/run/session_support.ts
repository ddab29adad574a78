/**
 * Runs in folders of their own, as `wgrad train` makes them, for the tests of checkpoints.
 *
 * @module
 */
import { join } from "node:path";
import type { Dataset } from "../../src/data/dataset.ts";
import { holdOut } from "../../src/data/holdout.ts";
import { requestBackend } from "../../src/backend/request.ts";
import type { Checkpoint } from "../../src/run/checkpoint.ts";
import { makeConfig } from "../../src/config/config.ts";
import { DeviceData } from "../../src/train/device_data.ts";
import { parseMetrics } from "../../src/run/metrics.ts";
import { RunFolder } from "../../src/run/folder.ts";
import { type Listener, type Opened, Session } from "../../src/run/session.ts";
import type { GivenConfig } from "../../src/config/settings.ts";
import { restore } from "../../src/run/snapshot.ts";
import { makeTrainer } from "../../src/run/make_trainer.ts";

/** A session in `path`, which goes on from `checkpoint`, with all that it said. */
export interface Opening {
  readonly session: Session;
  readonly said: string[];
  readonly warned: string[];
}

/** Begins a run in the folder `path`, or goes on with it. */
export async function openSession(
  path: string,
  whole: Dataset,
  given: GivenConfig,
  checkpoint: Checkpoint | null = null,
  listener: Partial<Listener> = {},
): Promise<Opening> {
  const config = makeConfig({ lr: 0.01, logEvery: 3, ...given }), said: string[] = [], warned: string[] = [];
  const held = config.valSplit > 0 ? holdOut(whole.train, config.valSplit, config.seed) : null;
  const dataset = held ? { ...whole, train: held.train } : whole;
  const open = async (): Promise<Opened> => {
    const gpu = await requestBackend();
    const tested = held?.validation ?? (config.evalEvery === undefined ? null : dataset.test);
    return {
      trainer: await makeTrainer(gpu, config, dataset, () => {}, checkpoint?.state),
      tests: tested && await DeviceData.upload(gpu, dataset, tested),
    };
  };
  await Deno.mkdir(path, { recursive: true });
  const folder = await RunFolder.open(path, config, checkpoint, {}, (line) => warned.push(line));
  const opened = await open();
  if (checkpoint) await restore(opened.trainer, checkpoint, path);
  const session = new Session(
    {
      config,
      dataset,
      folder,
      open,
      listener: {
        say: (line) => said.push(line),
        warn: (line) => warned.push(line),
        progress: () => {},
        ...listener,
      },
    },
    opened,
    checkpoint,
  );
  return { session, said, warned };
}

/** The bits of all that training changes, by name. */
export function bitsOf({ tensors }: Pick<Checkpoint, "tensors">): Map<string, string> {
  return new Map(
    [...tensors].filter(([name]) => name !== "metrics").map(([name, { data }]) => [
      name,
      new Uint8Array(data.buffer, data.byteOffset, data.byteLength).toHex(),
    ]),
  );
}

/** The newest checkpoint of a run, which has one. */
export async function newestOf(session: Session): Promise<Checkpoint> {
  return (await session.folder.checkpoints.newest((line) => {
    throw new Error(line);
  }))!;
}

/** The lines of a run's metrics. */
export function metricsOf(path: string): { [key: string]: number | undefined }[] {
  const file = join(path, "metrics.jsonl");
  return parseMetrics(Deno.readTextFileSync(file), file) as unknown as { [key: string]: number | undefined }[];
}

/** The steps of the numbered checkpoints. */
export function savedSteps({ checkpoints: { path } }: RunFolder): number[] {
  const steps = [...Deno.readDirSync(path)].flatMap(({ name }) => /^step-(\d+)/.exec(name)?.[1] ?? []);
  return steps.map(Number).sort((a, b) => a - b);
}
