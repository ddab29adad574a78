/**
 * Variants: several kernels, or tilings of one, that compute the same. An op offers its variants with the estimate's
 * selection; what was measured on the device goes before the estimate.
 *
 * @module
 */
import type { Profile } from "./profile.ts";

/** What a variant is selected for: a node of the graph, as far as the selection depends on it. */
export interface Subject {
  readonly op: { readonly name: string };
  readonly inputs: readonly { readonly shape: readonly number[] }[];
  readonly attrs: unknown;
}

/** One way to run an op. */
export interface Variant {
  /** The family's name, then what distinguishes the variant from the others of its family: "registers 4x8". The same in every run. */
  readonly name: string;
}

/** A selection that an op makes. */
export interface Offer<S extends Subject = Subject> {
  readonly key: string;
  /** The node that is to run: its inputs' shapes and its attributes say all that matters. */
  readonly node: S;
  /** The names of the variants, the one with the least estimated time first. */
  readonly names: readonly string[];
  /** An estimate of the time that the first takes, to compare offers with; 0 if there is none. */
  readonly cost: number;
}

/** The variants of an op, sorted by their estimated time, and the estimate for the first. */
export interface Ranking<V extends Variant> {
  readonly sorted: readonly V[];
  readonly cost: number;
}

/** The selections on one device. */
export class Variants<S extends Subject = Subject> {
  /** The names of the variants that were measured to be the fastest, by the selection's key. */
  readonly chosen: Map<string, string> = new Map();
  /** If an op has variants of this family, only they are selected. Tests force each family in turn. */
  family: string | null = null;
  /** Is called with every selection before it is made. */
  listener: ((offer: Offer<S>) => void) | null = null;
  /** How many candidates were ranked so far. A selection that was made before ranks none. */
  ranked = 0;
  /** By the profile, the op, and the key. Tests change the profile, and make ops of one name that differ. */
  readonly #rankings = new WeakMap<Profile, WeakMap<object, Map<string, Ranking<Variant>>>>();

  /**
   * The variant to run `node` with: the one with the least estimated time, unless another was measured to be faster.
   *
   * @param profile what the variants are ranked by.
   * @param rank ranks the variants. It is called once for each key of an op: its result may depend on the device, on the
   * profile and on what `keyOf` names, and on nothing else.
   */
  select<V extends Variant>(node: S, profile: Profile, rank: () => Ranking<V>): V {
    const key = keyOf(node), { sorted, cost } = this.#ranking(profile, node.op, key, rank), first = sorted[0];
    if (!first) throw new Error(`${node.op.name} has no variant for these shapes`);
    this.listener?.({ key, node, names: sorted.map(({ name }) => name), cost });
    const { family } = this;
    const forced = family !== null &&
      (sorted.find(({ name }) => name === family) ?? sorted.find(({ name }) => name.startsWith(`${family} `)));
    const chosen = this.chosen.get(key);
    return forced || (chosen !== undefined && sorted.find(({ name }) => name === chosen)) || first;
  }

  #ranking<V extends Variant>(profile: Profile, op: object, key: string, rank: () => Ranking<V>): Ranking<V> {
    let ops = this.#rankings.get(profile);
    if (!ops) this.#rankings.set(profile, ops = new WeakMap());
    let rankings = ops.get(op);
    if (!rankings) ops.set(op, rankings = new Map());
    const known = rankings.get(key);
    if (known) return known as Ranking<V>; // The op ranked them: they are of its type.
    const ranking = rank();
    this.ranked += ranking.sorted.length;
    rankings.set(key, ranking);
    return ranking;
  }
}

/** What a selection depends on, besides the device: the op, the shapes and the attributes. */
export function keyOf({ op, inputs, attrs }: Subject): string {
  return `${op.name} ${inputs.map(({ shape }) => shape.join("x")).join(" ")} ${JSON.stringify(attrs)}`;
}
