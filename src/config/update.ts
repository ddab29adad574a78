/**
 * The settings of the updates of weights: which of them an optimizer or a schedule has, and the optimizer and the schedule
 * that they make.
 *
 * @module
 */
import { UsageError } from "../errors.ts";
import type { OptionValue } from "../ops/options.ts";
import type { Optimizer } from "../optim/optimizer.ts";
import { OPTIMIZERS } from "../optim/registry.ts";
import { runSchedule, SCHEDULES } from "../optim/run_schedules.ts";
import type { Schedule } from "../optim/schedules.ts";
import { zeros } from "../tensor/create.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { RunConfig } from "./settings.ts";
import { parseOptions } from "./setting.ts";

/** The settings that are options of some optimizers and have a flag. */
const FLAGGED = ["lr", "momentum", "dampening", "weightDecay", "nesterov"] as const;

/** Whether a setting is an option of the optimizer, by its key. */
export function isOfOptimizer(key: string): boolean {
  return key === "opt" || (FLAGGED as readonly string[]).includes(key);
}

/** The defaults of an optimizer: PyTorch's, but the tutorial's momentum. */
function defaultsOf(name: RunConfig["optimizer"]): Readonly<Record<string, OptionValue>> {
  const { defaults } = OPTIMIZERS[name];
  return name === "sgd" ? { ...defaults, momentum: 0.9 } : defaults;
}

/**
 * The settings of `config` that have flags and are options of its optimizer, with the defaults of those that were not given.
 *
 * @throws {UsageError} naming a setting that the optimizer does not have.
 */
export function optimizerSettings(config: RunConfig): Partial<RunConfig> {
  const { optimizer } = config, defaults = defaultsOf(optimizer);
  return Object.fromEntries(FLAGGED.map((name) => {
    const has = Object.hasOwn(defaults, name), given = config[name];
    if (!has && given !== undefined) {
      throw new UsageError(`${name} is no option of ${optimizer}: it has ${Object.keys(defaults).join(", ")}`);
    }
    return [name, given ?? (has ? defaults[name] : undefined)];
  }));
}

/** The options of an optimizer that have no flag, with their defaults. */
function othersOf(name: RunConfig["optimizer"]): Record<string, OptionValue> {
  return Object.fromEntries(Object.entries(OPTIMIZERS[name].defaults).filter(([key]) => !isOfOptimizer(key)));
}

/** The options that `--opt` and `--sched` may set, as tables for the help: each as NAME=DEFAULT. */
export function optionTables(): { title: string; rows: [string, string][] }[] {
  const text = (options: Readonly<Record<string, OptionValue>>) =>
    Object.entries(options).map(([name, value]) => `${name}=${value}`).join(" ");
  const names = Object.keys(OPTIMIZERS) as RunConfig["optimizer"][];
  return [
    { title: "Options for --opt, with their defaults", rows: names.map((name) => [name, text(othersOf(name))]) },
    {
      title: "Schedules, and options for --sched with their defaults",
      rows: Object.entries(SCHEDULES).map(([name, { summary, defaults }]) => {
        const options = text(defaults);
        return [name, options ? `${summary}; ${options}` : summary];
      }),
    },
  ];
}

/**
 * Makes the optimizer that `config` names.
 *
 * @throws {UsageError} if an option does not fit.
 */
export function makeOptimizer(config: RunConfig, params: readonly Tensor[]): Optimizer {
  const { optimizer, opt } = config, defaults = OPTIMIZERS[optimizer].defaults;
  const flagged = FLAGGED.filter((name) => Object.hasOwn(defaults, name));
  return OPTIMIZERS[optimizer].make(params, {
    ...Object.fromEntries(flagged.map((name) => [name, config[name]!])),
    ...parseOptions(opt, othersOf(optimizer), `--opt: ${optimizer}`),
  });
}

/**
 * The schedule that `config` names; null if the rate never changes.
 *
 * @throws {UsageError} if an option does not fit.
 */
export function makeSchedule(config: RunConfig, totalSteps: number, stepsPerEpoch: number): Schedule | null {
  const { schedule, warmup, sched } = config;
  const options = parseOptions(sched, SCHEDULES[schedule]!.defaults, `--sched: ${schedule}`);
  if (schedule === "none" && warmup === 0) return null;
  return runSchedule(schedule, { totalSteps, stepsPerEpoch, warmup, options });
}

/** Throws `UsageError` if the settings do not fit the optimizer or the schedule. */
export function checkUpdate(config: RunConfig): void {
  makeOptimizer(config, [zeros([1], { requiresGrad: true })]);
  makeSchedule(config, 1000, 100);
}
