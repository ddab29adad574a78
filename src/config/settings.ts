/**
 * Every setting of a training run, in one table: the flags of `wgrad train` and the keys of `config.json` are made from it.
 *
 * @module
 */
import {
  BACKEND_MEANINGS,
  DATA_MEANINGS,
  MODEL_MEANINGS,
  NORMALIZE_MEANINGS,
  ON_NAN_MEANINGS,
  TUNE_MEANINGS,
} from "./meanings.ts";
import { DEFAULT_MODEL, MODEL_NAMES } from "../models/registry.ts";
import { OPTIMIZERS } from "../optim/registry.ts";
import { SCHEDULES } from "../optim/run_schedules.ts";
import type { Setting, Values } from "./setting.ts";

/** Every setting of a run. The defaults are the seed run: the classic tutorial's LeNet on CIFAR-10. */
export const SETTINGS = [
  {
    name: "model",
    kind: "choice",
    choices: MODEL_NAMES,
    default: DEFAULT_MODEL,
    meanings: MODEL_MEANINGS,
    help: "Network to train",
    group: "Model and data",
  },
  {
    name: "data",
    kind: "string",
    value: "DATA",
    default: "cifar10",
    free: true, // A checkpoint has the checksum of its images.
    help: "The images to train on",
    meanings: DATA_MEANINGS,
    group: "Model and data",
  },
  {
    name: "normalize",
    kind: "choice",
    choices: ["half", "cifar10"],
    default: "half",
    help: "Scaling of the pixels",
    meanings: NORMALIZE_MEANINGS,
    group: "Model and data",
  },
  {
    name: "val-split",
    kind: "number",
    min: 0,
    max: 4294967295,
    default: 0,
    help:
      "Hold out this share of the training images (or number, from 1) to validate with; if it is not given, 0.05, " +
      "but nothing in the tutorial's run or of fewer than 2000 images",
    group: "Model and data",
  },
  {
    name: "init",
    kind: "string",
    value: "FILE",
    help: "Start from these weights; a last layer of another size gets new ones",
    group: "Model and data",
  },
  {
    name: "freeze",
    kind: "list",
    value: "PATTERN",
    help: "Do not train the parameters of these names, such as conv*; may be given again",
    group: "Model and data",
  },
  {
    name: "offline",
    kind: "boolean",
    free: true,
    help: "Never use the network; the data must be in the cache",
    group: "Model and data",
  },
  { name: "epochs", kind: "integer", min: 1, max: 1e6, default: 2, help: "Passes over the data", group: "Training" },
  {
    name: "max-steps",
    kind: "integer",
    min: 1,
    max: 4294967295,
    help: "Stop after this many steps, before the epochs are over",
    group: "Training",
  },
  { name: "batch-size", kind: "integer", min: 1, max: 65536, default: 4, help: "Images per step", group: "Training" },
  {
    name: "seed",
    kind: "integer",
    min: 0,
    max: 4294967295,
    default: 0,
    help: "Seed of the initial weights and of the order of the images",
    group: "Training",
  },
  {
    name: "accumulate",
    kind: "integer",
    min: 1,
    max: 65536,
    default: 1,
    help: "Batches in a step: their gradients are summed before the weights change",
    group: "Training",
  },
  {
    name: "label-smoothing",
    kind: "number",
    min: 0,
    max: 1,
    default: 0,
    help: "How much of each target is spread evenly over all classes",
    group: "Training",
  },
  {
    name: "clip-grad",
    kind: "number",
    min: 0,
    max: 1e9,
    help: "Scale the gradients down if their common norm is more than this",
    group: "Training",
  },
  {
    name: "ema",
    kind: "number",
    min: 0,
    max: 1,
    help: "Keep an exponential average of the weights with this decay, such as 0.999; the average is saved and tested",
    group: "Training",
  },
  {
    name: "on-nan",
    kind: "choice",
    choices: ["stop", "restore"],
    default: "stop",
    free: true,
    help: "What to do if the loss becomes NaN or infinite",
    meanings: ON_NAN_MEANINGS,
    group: "Training",
  },
  {
    name: "detect-anomaly",
    kind: "boolean",
    help:
      "Stop at the first operation that makes a NaN or an infinity, and name it; slow, and rounds differently, since " +
      "nothing is fused",
    group: "Training",
  },
  {
    name: "optimizer",
    kind: "choice",
    choices: Object.keys(OPTIMIZERS) as (keyof typeof OPTIMIZERS)[],
    default: "sgd",
    help: "Rule that updates the weights",
    group: "Optimizer",
  },
  {
    name: "lr",
    kind: "number",
    min: 0,
    max: 1e6,
    help: "Learning rate (default: the optimizer's; 0.001 for sgd)",
    group: "Optimizer",
  },
  {
    name: "momentum",
    kind: "number",
    min: 0,
    max: 1,
    help: "Momentum of an optimizer that has it (default: the optimizer's; 0.9 for sgd)",
    group: "Optimizer",
  },
  {
    name: "dampening",
    kind: "number",
    min: 0,
    max: 1,
    help: "Dampening of momentum (sgd; default: 0)",
    group: "Optimizer",
  },
  {
    name: "weight-decay",
    kind: "number",
    min: 0,
    max: 1e6,
    help:
      "L2 penalty added to the gradient, or decay of the weights, whichever the optimizer has (default: the optimizer's)",
    group: "Optimizer",
  },
  {
    name: "nesterov",
    kind: "boolean",
    optional: true,
    help: "Nesterov momentum (sgd, and muon, which has it unless --no-nesterov is given)",
    group: "Optimizer",
  },
  {
    name: "opt",
    kind: "list",
    value: "NAME=VALUE",
    help: "Another option of the optimizer by PyTorch's name, such as betas=0.9,0.99; may be given again",
    group: "Optimizer",
  },
  {
    name: "schedule",
    kind: "choice",
    choices: Object.keys(SCHEDULES),
    default: "none",
    help: "How the learning rate changes",
    group: "Schedule",
  },
  {
    name: "warmup",
    kind: "integer",
    min: 0,
    max: 4294967295,
    default: 0,
    help: "Steps in which the learning rate first rises to its value",
    group: "Schedule",
  },
  {
    name: "sched",
    kind: "list",
    value: "NAME=VALUE",
    help: "An option of the schedule, such as gamma=0.5; may be given again",
    group: "Schedule",
  },
  {
    name: "out",
    kind: "string",
    value: "DIR",
    default: "runs",
    help: "Folder that holds the runs' folders",
    group: "Output",
  },
  {
    name: "name",
    kind: "string",
    value: "NAME",
    help: "Name of this run's folder, which must be new (default: the model and the next number, such as lenet-1)",
    group: "Output",
  },
  {
    name: "save-every",
    kind: "integer",
    min: 1,
    max: 4294967295,
    free: true,
    help: "Save a checkpoint every N steps too; one is saved at the end of each epoch",
    group: "Output",
  },
  {
    name: "keep",
    kind: "integer",
    min: 1,
    max: 1e6,
    default: 3,
    free: true,
    help: "How many checkpoints are kept, beside the best",
    group: "Output",
  },
  {
    name: "eval-every",
    kind: "integer",
    min: 1,
    max: 4294967295,
    free: true,
    help:
      "Test every N steps, and at the end of each epoch: on the images that --val-split holds out, else on the test images",
    group: "Output",
  },
  {
    name: "final",
    kind: "choice",
    choices: ["best", "last"],
    free: true,
    help:
      "Weights that are saved and tested at the end: those with the smallest validation loss, or those of the last " +
      "step (default: best with a validation split, else last)",
    group: "Output",
  },
  {
    name: "log-every",
    kind: "integer",
    min: 1,
    max: 4294967295,
    default: 2000,
    free: true,
    help: "Print the mean loss every N steps",
    group: "Output",
  },
  {
    name: "adapter",
    kind: "string",
    value: "NAME",
    help: "Use the GPU whose name contains this text (default: the fastest)",
    group: "GPU",
  },
  {
    name: "backend",
    kind: "choice",
    choices: ["vulkan", "metal", "dx12", "gl"],
    help: "Graphics interface to use (default: the system's first choice)",
    meanings: BACKEND_MEANINGS,
    group: "GPU",
  },
  {
    name: "tune",
    kind: "choice",
    choices: ["off", "auto", "full"],
    default: "auto",
    help: "Measure the variants of kernels before a new run, and use the fastest",
    meanings: TUNE_MEANINGS,
    group: "GPU",
  },
] as const satisfies readonly Setting[];

/**
 * The settings of one run, keyed in camelCase: `batchSize`, `maxSteps`. Units: `maxSteps`, `warmup` and `logEvery` in steps.
 */
export type RunConfig = Omit<Values<typeof SETTINGS>, "lr"> & { readonly lr: number };

/** Some of the settings of a run; those that are missing or undefined have their defaults. */
export type GivenConfig = { readonly [K in keyof RunConfig]?: RunConfig[K] | undefined };
