/**
 * Made-up runs for the tests of the report: a folder as the trainer leaves it.
 *
 * @module
 */
import { encode } from "fast-png";
import { join } from "node:path";
import { encodeSafetensors } from "../../src/io/safetensors.ts";
import type { EvaluationFile } from "../../src/run/evaluation_file.ts";
import { bits } from "../support/random.ts";

const CLASSES = ["plane", "car", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];

/** How a made-up run differs from others. */
export interface MadeRun {
  readonly config?: Record<string, unknown>;
  /** Lines of training. Default 60. */
  readonly lines?: number;
  /** How far the loss comes down. Default 1.2. */
  readonly depth?: number;
  readonly seed?: number;
}

/** Writes a finished run's files into a new folder. */
export async function writeRun(
  path: string,
  { config, lines = 60, depth = 1.2, seed = 1 }: MadeRun = {},
): Promise<void> {
  await Deno.mkdir(path, { recursive: true });
  const numbers = bits(seed, 100_000).values();
  const random = () => numbers.next().value! / 2 ** 32;
  const write = (name: string, value: unknown) => Deno.writeTextFile(join(path, name), JSON.stringify(value, null, 2));
  await write("config.json", {
    model: "lenet",
    data: "cifar10",
    normalize: "half",
    offline: false,
    epochs: 10,
    batchSize: 64,
    seed: 0,
    optimizer: "sgd",
    lr: 0.05,
    momentum: 0.9,
    nesterov: true,
    schedule: "cosine",
    opt: [],
    out: "runs",
    logEvery: 130,
    ...config,
  });
  await write("run.json", {
    wgrad: "0.1.0",
    command: "wgrad train --batch-size 64 --lr 0.05 --nesterov --schedule cosine --epochs 10",
    started: "2026-11-24T15:09:27.000Z",
    seed: 0,
    data: {
      name: "cifar10",
      images: 50000,
      sha256: "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5",
    },
    adapter: { name: "NVIDIA GeForce RTX 4070", vendor: "nvidia", architecture: "ada", cpu: false },
    os: "linux",
    arch: "x86_64",
    deno: "2.9.6",
    v8: "14.2",
  });
  await Deno.writeTextFile(
    join(path, "metrics.jsonl"),
    metrics(lines, depth, random).map((line) => `${line}\n`).join(""),
  );
  const weight = { dtype: "F32" as const, shape: [16, 3, 5, 5], data: wavy() };
  await Deno.writeFile(join(path, "model.safetensors"), encodeSafetensors(new Map([["conv1.weight", weight]])));
  await write("evaluation.json", evaluation(random));
}

function metrics(lines: number, depth: number, random: () => number): string[] {
  const every = 130, perEpoch = Math.max(1, Math.round(lines / 10));
  return Array.from({ length: lines }, (_, i) => {
    const step = (i + 1) * every, epoch = 1 + Math.floor(i / perEpoch), done = (i + 1) / lines, seconds = step / 180;
    const loss = 2.3 - depth * (1 - Math.exp(-4 * done)) + (random() - 0.5) * 0.16;
    const line = JSON.stringify({
      step,
      epoch,
      stepInEpoch: step - (epoch - 1) * perEpoch * every,
      loss,
      lr: 0.025 * (1 + Math.cos(Math.PI * done)),
      imagesPerSecond: 11500 + 500 * random(),
      seconds,
    });
    const event = i === Math.floor(lines / 2) ? [JSON.stringify({ step, event: "resume", from: "last" })] : [];
    if ((i + 1) % perEpoch !== 0) return [line, ...event];
    const valLoss = 2.3 - (depth - 0.25) * (1 - Math.exp(-4 * done)) + 0.03 * random();
    const val = { step, epoch, seconds, valLoss, valAccuracy: 0.1 + 0.5 * (1 - Math.exp(-3.5 * done)) };
    return [line, ...event, JSON.stringify(val)];
  }).flat().concat(
    JSON.stringify({ step: lines * every, epoch: 10, seconds: 60, testLoss: 1.21, testAccuracy: 0.5853 }),
  );
}

/** Gratings, as trained filters are. */
function wavy(): Float32Array<ArrayBuffer> {
  return Float32Array.from({ length: 16 * 75 }, (_, i) => {
    const filter = Math.floor(i / 75), channel = Math.floor(i / 25) % 3, y = Math.floor(i / 5) % 5, x = i % 5;
    const angle = filter * 0.61, wave = Math.cos(0.9 * (x * Math.cos(angle) + y * Math.sin(angle)) + filter);
    return 0.3 * wave * (filter % 3 === 0 ? Math.cos(channel * 2 + filter) : 1);
  });
}

function evaluation(random: () => number): EvaluationFile {
  const confusion = CLASSES.map((_, label) => {
    const right = Math.round(380 + 380 * random()), shares = CLASSES.map((_, i) => i === label ? 0 : random() ** 3);
    const sum = shares.reduce((a, b) => a + b);
    return shares.map((share, i) => i === label ? right : Math.round((1000 - right) * share / sum));
  });
  const perClass = confusion.map((row, label) => row[label]! / row.reduce((a, b) => a + b));
  const mistakes = Array.from({ length: 24 }, (_, i) => {
    const label = Math.floor(10 * random()), predicted = (label + 1 + Math.floor(9 * random())) % 10;
    return { index: 37 * i, label, predicted, probability: 0.999 - i * 0.004, png: picture(random) };
  });
  return {
    split: "test",
    images: 10000,
    loss: 1.21,
    accuracy: 0.5853,
    classes: CLASSES,
    perClass,
    confusion,
    mistakes,
  };
}

/** A blob on a ground, 32 × 32. */
function picture(random: () => number): string {
  const [cx, cy, r] = [10 + 12 * random(), 10 + 12 * random(), 6 + 6 * random()];
  const [ground, blob] = [0, 1].map(() => [0, 1, 2].map(() => 40 + 180 * random()));
  const data = Uint8Array.from({ length: 32 * 32 * 3 }, (_, i) => {
    const x = Math.floor(i / 3) % 32, y = Math.floor(i / 96), inside = Math.hypot(x - cx, y - cy) < r;
    return (inside ? blob! : ground!)[i % 3]! + 30 * random();
  });
  return `data:image/png;base64,${encode({ width: 32, height: 32, data, channels: 3 }).toBase64()}`;
}
