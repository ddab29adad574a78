/**
 * The configuration of a training run, and `config.json`. One table, `SETTINGS`, holds every setting with its default
 * and its bounds; the flags of `wgrad train` are made from it. What is checked here is what can be known without the
 * data or the GPU.
 *
 * @module
 */
import { UsageError } from "../errors.ts";
import { camelCase, complaint, defaultOf, didYouMean, type Setting, type Values } from "./setting.ts";

/** Every setting of a run. The defaults are the seed run: the classic tutorial's LeNet on CIFAR-10. */
export const SETTINGS = [
  {
    name: "model",
    kind: "choice",
    choices: ["lenet", "lenet-gray"],
    default: "lenet",
    help: "Network to train",
    group: "Model and data",
  },
  {
    name: "data",
    kind: "string",
    value: "DATA",
    default: "cifar10",
    help: "cifar10, synthetic, a folder of .bin files, a .tar.gz, or one .bin file",
    group: "Model and data",
  },
  {
    name: "normalize",
    kind: "choice",
    choices: ["half", "cifar10"],
    default: "half",
    help: "Scaling of pixels, by (x/255 - 0.5)/0.5 or by the measured mean and deviation",
    group: "Model and data",
  },
  {
    name: "offline",
    kind: "boolean",
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
    name: "optimizer",
    kind: "choice",
    choices: ["sgd"],
    default: "sgd",
    help: "Rule that updates the weights",
    group: "Optimizer",
  },
  { name: "lr", kind: "number", min: 0, max: 1e6, default: 0.001, help: "Learning rate", group: "Optimizer" },
  { name: "momentum", kind: "number", min: 0, max: 1, default: 0.9, help: "Momentum", group: "Optimizer" },
  { name: "dampening", kind: "number", min: 0, max: 1, default: 0, help: "Dampening of momentum", group: "Optimizer" },
  {
    name: "weight-decay",
    kind: "number",
    min: 0,
    max: 1e6,
    default: 0,
    help: "L2 penalty, added to the gradient",
    group: "Optimizer",
  },
  { name: "nesterov", kind: "boolean", help: "Nesterov momentum", group: "Optimizer" },
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
    name: "log-every",
    kind: "integer",
    min: 1,
    max: 4294967295,
    default: 2000,
    help: "Print the mean loss every so many steps",
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
    help: "Graphics interface to use instead of the system's own",
    group: "GPU",
  },
  {
    name: "tune",
    kind: "choice",
    choices: ["off", "auto", "full"],
    default: "auto",
    help: "Try variants of kernels first: never, on a GPU for 5 s at most what was not tried before, or all",
    group: "GPU",
  },
] as const satisfies readonly Setting[];

/** The settings of one run, keyed in camelCase: `batchSize`, `maxSteps`. Units: `maxSteps` and `logEvery` in steps. */
export type RunConfig = Values<typeof SETTINGS>;

/**
 * A checked configuration: the defaults, with `given` laid over them.
 *
 * @throws {UsageError} naming the setting, its value and what it must be.
 */
export function makeConfig(given: Partial<RunConfig> = {}): RunConfig {
  return fromRecord(given, "run configuration");
}

/** The content of `config.json`: every setting that has a value, in the order of the table. */
export function configToJson(config: RunConfig): string {
  const entries = SETTINGS.map(({ name }) => [camelCase(name), config[camelCase(name) as keyof RunConfig]]);
  return JSON.stringify(Object.fromEntries(entries), null, 2) + "\n";
}

/**
 * Reads the content of a `config.json`. A missing key takes its default; an unknown key is refused.
 *
 * @param where the file's name, for the errors.
 * @throws {UsageError} if it is no JSON object, or a key or value cannot be used.
 */
export function configFromJson(text: string, where: string): RunConfig {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new UsageError(`${where} is not JSON: ${(error as Error).message}`);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new UsageError(`${where} must hold one JSON object of settings`);
  }
  return fromRecord(value as Record<string, unknown>, where);
}

function fromRecord(given: Readonly<Record<string, unknown>>, where: string): RunConfig {
  const keys = SETTINGS.map(({ name }) => camelCase(name));
  for (const key of Object.keys(given)) {
    if (!keys.includes(key)) {
      throw new UsageError(`${where}: unknown setting ${JSON.stringify(key)}${didYouMean(key, keys)}`);
    }
  }
  const config: Record<string, unknown> = {};
  for (const setting of SETTINGS as readonly Setting[]) {
    const key = camelCase(setting.name);
    const value = given[key] ?? defaultOf(setting);
    const must = value === undefined ? undefined : complaint(setting, value);
    if (must !== undefined) throw new UsageError(`${where}: ${key} is ${shown(value)}, not ${must}`);
    config[key] = value;
  }
  checkTogether(config as RunConfig);
  return config as RunConfig;
}

/** JSON for what JSON can say; it would print NaN as null. */
function shown(value: unknown): string {
  return typeof value === "number" ? String(value) : JSON.stringify(value) ?? typeof value;
}

/** What a single row of the table cannot say. */
function checkTogether(config: RunConfig): void {
  // torch.optim.SGD refuses the same.
  if (config.nesterov && (config.momentum === 0 || config.dampening !== 0)) {
    throw new UsageError(
      `nesterov needs a momentum above 0 and a dampening of 0, not momentum ${config.momentum} and dampening ${config.dampening}`,
    );
  }
  const { name } = config;
  if (
    name !== undefined && (!/^[\p{L}\p{N}][\p{L}\p{N} ._-]*$/u.test(name) || /[ .]$/.test(name) || name.length > 100)
  ) {
    throw new UsageError(
      `name ${JSON.stringify(name)} cannot name a folder everywhere: ` +
        `use up to 100 letters, digits, and ". _ -" or spaces inside`,
    );
  }
}
