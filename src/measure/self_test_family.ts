/**
 * What a family of kernels in the self test is.
 *
 * @module
 */
import type { Tensor } from "../tensor/tensor.ts";

/** A tensor, and the elements that it must have. */
export type Expected = readonly [tensor: Tensor, elements: ArrayLike<number>];

/** A family of kernels, with some results that are known beforehand. */
export interface Family {
  readonly name: string;
  /** Records the results. */
  make(): readonly Expected[] | Promise<readonly Expected[]>;
}
