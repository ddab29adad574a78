/**
 * Adapters: what is known of whatever computes.
 *
 * @module
 */

/**
 * What computes: a GPU; a software driver, which runs a GPU's kernels on the processor; the processor itself; or nothing
 * at all ("paper": work is planned and counted, and never done).
 */
export type AdapterKind = "gpu" | "software gpu" | "processor" | "paper";

/** What is known of the adapter in use. */
export interface AdapterInfo {
  /** As the driver reports it. */
  readonly name: string;
  /** The vendor's number or name; "" if the driver does not report it. */
  readonly vendor: string;
  /** The family of the hardware; "" if the driver does not report it. */
  readonly architecture: string;
  readonly kind: AdapterKind;
}

/** An adapter's limits and features, as `wgrad doctor` shows them. */
export interface AdapterDetails {
  /** Every limit that is a number, by its name. */
  readonly limits: Readonly<Record<string, number>>;
  /** Every feature of the adapter, sorted, not only those that wgrad uses. */
  readonly features: readonly string[];
  /** Whether the adapter's clock can be read. */
  readonly timestamps: boolean;
  /** The names of the other adapters of this machine. */
  readonly others: readonly string[];
}

/** An adapter in the JSON that commands print and in `run.json`. */
export interface AdapterRecord extends Omit<AdapterInfo, "kind"> {
  /** Kernels run on the processor. */
  readonly cpu: boolean;
}

/** `adapter` with the keys that readers of the JSON know. */
export function adapterRecord({ name, vendor, architecture, kind }: AdapterInfo): AdapterRecord {
  return { name, vendor, architecture, cpu: kind !== "gpu" };
}
