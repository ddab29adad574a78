/**
 * `optim`: optimizers.
 *
 * @module
 */
export { SGD, type SgdGroup, type SgdOptions } from "./sgd.ts";
