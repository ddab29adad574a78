/**
 * Variants: several kernels, or tilings of one, that compute the same. An op offers its variants with the estimate's pick;
 * what was measured on the device goes before the estimate.
 *
 * @module
 */
import type { Gpu } from "../backend/webgpu/device.ts";
import type { Device, Node } from "./node.ts";

/** A way to run an op. */
export interface Variant {
  /** The family's name, then what tells it from the others of the family: "registers 4x8". The same in every run. */
  readonly name: string;
}

/** What an op may choose from, once. */
export interface Offer {
  readonly key: string;
  /** The node that is to be run: its inputs' shapes and its attributes say all that matters. */
  readonly node: Node;
  /** The names of the variants, the one that should take the least time first. */
  readonly names: readonly string[];
  /** An estimate of the time that the first takes, to compare offers with; 0 where there is none. */
  readonly cost: number;
}

/** The choices on one device. */
export class Variants {
  /** The names of the variants that were measured to be the fastest, by the key of the choice. */
  readonly chosen: Map<string, string> = new Map();
  /** Where an op has variants of this family, only they are taken: how tests force each in turn. */
  family: string | null = null;
  /** Hears of every choice, before it is made. */
  listener: ((offer: Offer) => void) | null = null;

  /** The variant to run `node` with: of `sorted`, the first, whose time `cost` estimates, unless another is known to be faster. */
  take<V extends Variant>(node: Node, sorted: readonly V[], cost = 0): V {
    const first = sorted[0];
    if (!first) throw new Error(`${node.op.name} has no variant for these shapes`);
    const key = keyOf(node);
    this.listener?.({ key, node, names: sorted.map(({ name }) => name), cost });
    const { family } = this;
    const forced = family !== null &&
      (sorted.find(({ name }) => name === family) ?? sorted.find(({ name }) => name.startsWith(`${family} `)));
    const chosen = this.chosen.get(key);
    return forced || (chosen !== undefined && sorted.find(({ name }) => name === chosen)) || first;
  }
}

/** What a choice depends on, besides the device: the op, the shapes and the attributes. */
export function keyOf({ op, inputs, attrs }: Node): string {
  return `${op.name} ${inputs.map(({ shape }) => shape.join("x")).join(" ")} ${JSON.stringify(attrs)}`;
}

const all = new WeakMap<Gpu, Variants>();

/** The choices on `gpu`. */
export function variantsOf(gpu: Gpu): Variants {
  let variants = all.get(gpu);
  if (!variants) all.set(gpu, variants = new Variants());
  return variants;
}

/** What ops must know of `gpu`. */
export function deviceOf(gpu: Gpu): Device {
  const { limits } = gpu.device;
  const alignment = Math.max(limits.minStorageBufferOffsetAlignment, limits.minUniformBufferOffsetAlignment);
  const invocations = Math.min(limits.maxComputeInvocationsPerWorkgroup, limits.maxComputeWorkgroupSizeX);
  const workgroup = { invocations, bytes: limits.maxComputeWorkgroupStorageSize };
  return { profile: gpu.profile, alignment, workgroup, variants: variantsOf(gpu) };
}
