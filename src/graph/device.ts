/**
 * What the graph knows of a backend when it selects kernels.
 *
 * @module
 */
import type { Backend } from "../backend/backend.ts";
import type { Offer as BackendOffer, Variants } from "../backend/variants.ts";
import type { Device, Node } from "./node.ts";

/** The selections on `backend`. Only the graph makes selections there, so what they are for are its nodes. */
export function variantsOf(backend: Backend): Variants<Node> {
  return backend.variants as Variants<Node>;
}

/** What ops must know of `backend`. */
export function deviceOf(backend: Backend): Device {
  const { profile, limits: { alignment, workgroup } } = backend;
  return { profile, alignment, workgroup, variants: variantsOf(backend) };
}

/** A selection among the variants of a node's op. */
export type Offer = BackendOffer<Node>;
