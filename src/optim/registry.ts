/**
 * The optimizers by the names that `--optimizer` takes.
 *
 * @module
 */
import type { OptionValue } from "../ops/options.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { ADADELTA, Adadelta } from "./adadelta.ts";
import { ADAGRAD, Adagrad } from "./adagrad.ts";
import { ADAM, Adam, ADAMW, AdamW } from "./adam.ts";
import { ADAMAX, Adamax } from "./adamax.ts";
import { LION, Lion } from "./lion.ts";
import { MUON, Muon } from "./muon.ts";
import { NADAM, NAdam } from "./nadam.ts";
import type { Optimizer } from "./optimizer.ts";
import { RADAM, RAdam } from "./radam.ts";
import { RMSPROP, RMSprop } from "./rmsprop.ts";
import type { Settings } from "./settings.ts";
import { SGD, SGD_RULE } from "./sgd.ts";

/** An optimizer of the command line. */
export interface Entry {
  /** Every option with its default. */
  readonly defaults: Readonly<Record<string, OptionValue>>;
  /** The words that options take, by option. */
  readonly choices: Readonly<Record<string, readonly string[]>>;
  /** @throws {UsageError} if an option is out of range or unknown. */
  make(params: readonly Tensor[], options: Readonly<Record<string, OptionValue>>): Optimizer;
}

function entry<O extends object>(
  make: new (params: readonly Tensor[], options: O) => Optimizer<O>,
  { defaults, choices }: Settings<O>,
): Entry {
  return {
    defaults: defaults as Readonly<Record<string, OptionValue>>,
    choices: (choices ?? {}) as Readonly<Record<string, readonly string[]>>,
    make: (params, options) => new make(params, options as O) as Optimizer,
  };
}

/** The optimizers, by name. */
export const OPTIMIZERS = {
  sgd: entry(SGD, SGD_RULE),
  adam: entry(Adam, ADAM),
  adamw: entry(AdamW, ADAMW),
  rmsprop: entry(RMSprop, RMSPROP),
  adagrad: entry(Adagrad, ADAGRAD),
  adadelta: entry(Adadelta, ADADELTA),
  adamax: entry(Adamax, ADAMAX),
  nadam: entry(NAdam, NADAM),
  radam: entry(RAdam, RADAM),
  lion: entry(Lion, LION),
  muon: entry(Muon, MUON),
} as const satisfies Readonly<Record<string, Entry>>;
