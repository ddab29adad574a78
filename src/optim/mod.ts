/**
 * `optim`: optimizers, and schedules of their rates.
 *
 * @module
 */
export * as lrScheduler from "./lr_scheduler.ts";
export { SGD, type SgdGroup, type SgdOptions } from "./sgd.ts";
