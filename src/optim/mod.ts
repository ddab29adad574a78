/**
 * `optim`: optimizers, and schedules of their rates.
 *
 * @module
 */
export * as lrScheduler from "./lr_scheduler.ts";
export { Adadelta, type AdadeltaOptions } from "./adadelta.ts";
export { Adagrad, type AdagradOptions } from "./adagrad.ts";
export { Adam, type AdamOptions, AdamW } from "./adam.ts";
export { Adamax } from "./adamax.ts";
export { EMA } from "./ema.ts";
export { Lion, type LionOptions } from "./lion.ts";
export { Lookahead, type LookaheadOptions } from "./lookahead.ts";
export { Muon, type MuonOptions } from "./muon.ts";
export { NAdam, type NAdamOptions } from "./nadam.ts";
export { type BetaOptions, type CommonOptions, Optimizer, type RateOptions } from "./optimizer.ts";
export { RAdam, type RAdamOptions } from "./radam.ts";
export { RMSprop, type RMSpropOptions } from "./rmsprop.ts";
export type { GroupOptions, Params } from "./settings.ts";
export { SGD, type SgdGroup, type SgdOptions } from "./sgd.ts";
