/**
 * Profiles: what kernels are chosen by on a kind of device. Whoever chooses asks the profile for the cost or the ability
 * that matters, never what kind of device it is.
 *
 * @module
 */

/** Costs are in multiply-adds of one invocation. */
export interface Profile {
  /** The invocations of a workgroup whose kernel uses no workgroup memory. */
  readonly workgroup: number;
  /** The invocations that run at the same time on the whole device. */
  readonly lanes: number;
  /** The cost of a load from a storage buffer. */
  readonly load: number;
  /** The values that an invocation can keep in registers. */
  readonly registers: number;
  /** The multiply-adds of an unrolled body beyond which it runs slower. */
  readonly body: number;
  /** How many times the estimate a tile costs that is computed through workgroup memory and barriers. */
  readonly barrier: number;
  /** The workgroups that it takes to keep the whole device busy. */
  readonly groups: number;
  /** Inputs of up to this many bytes are read faster as uniform buffers; 0 where they are not. */
  readonly uniformBytes: number;
  /** Small independent dispatches run faster as one. */
  readonly merges: boolean;
  /** A kernel that updates a buffer runs faster if it reads the old values through a second, read-only binding. */
  readonly readsApart: boolean;
  /** Kernels compile fast enough that a run may try some of them before its first step. */
  readonly tunes: boolean;
}

/** A GPU: thousands of lanes with few registers each. */
export const GPU: Profile = {
  workgroup: 64,
  lanes: 8192,
  load: 4,
  registers: 64,
  body: 1100,
  barrier: 1,
  groups: 32,
  uniformBytes: 0,
  merges: true,
  readsApart: false,
  tunes: true,
};

/**
 * A software driver, measured with Mesa's: eight lanes of two threads run side by side, a load is a loop over the lanes
 * unless its address is the same for all of them, and workgroup memory is no faster than any other.
 */
export const SOFTWARE_GPU: Profile = {
  workgroup: 8,
  lanes: 16,
  load: 48,
  registers: 160,
  body: 1100,
  barrier: 100,
  groups: 1,
  uniformBytes: 4 * 65536,
  merges: false,
  readsApart: true,
  tunes: false,
};
