/**
 * The self test of `wgrad doctor`: every family of kernels, on a few elements each, against what the CPU computes; then the
 * families of variants of products and convolutions, and a whole training step.
 *
 * @module
 */
import { GpuError } from "../errors.ts";
import type { Backend } from "../backend/backend.ts";
import type { Offer } from "../graph/device.ts";
import { readAll } from "../tensor/realize.ts";
import type { BenchCase } from "./bench.ts";
import { selfTestCases } from "./kernels.ts";
import { benchStep } from "./steps.ts";
import { FAMILIES } from "./self_test_cases.ts";
import type { Expected } from "./self_test_family.ts";
import { UPDATES } from "./self_test_updates.ts";
import { faultOf, workbench } from "../tune/trials.ts";
import { offersOf, title } from "../tune/tuner.ts";

/** A result of the self test. */
export interface Tested {
  readonly name: string;
  readonly ok: boolean;
  /** The fault, in one line. */
  readonly error?: string;
}

/**
 * Runs the whole self test, in about two seconds if the driver has compiled the kernels before.
 *
 * @param tell is told each result at once.
 */
export async function selfTest(gpu: Backend, tell: (tested: Tested) => void = () => {}): Promise<Tested[]> {
  const results: Tested[] = [];
  const test = async (name: string, work: () => Promise<void>) => {
    const error = await work().then(() => null, (error) => {
      if (error instanceof GpuError) return error.message;
      throw error;
    });
    const tested = error === null ? { name, ok: true } : { name, ok: false, error };
    results.push(tested);
    tell(tested);
  };
  for (const { name, make } of [...FAMILIES, ...UPDATES]) await test(name, async () => compare(name, await make()));
  const offers = await offersOf(gpu, async () => {
    const step = () => ({ name: "training step of lenet, batch 3", ...benchStep("lenet", 3) });
    for (const make of [...selfTestCases(), step]) {
      const one: Pick<BenchCase, "name" | "check" | "dispose"> = make();
      await test(one.name, async () => {
        await one.check();
        await one.dispose(); // Not after a failure: the device may be lost.
      });
    }
  });
  for (const { offer, name } of oneOfEach(offers)) {
    await test(`${title(offer.key)} by the variant ${name}`, () => tryVariant(gpu, offer, name));
  }
  return results;
}

/** Throws `GpuError` if an element is not as expected. */
export async function compare(name: string, expected: readonly Expected[]): Promise<void> {
  const found = await readAll(expected.map(([tensor]) => tensor));
  const places = expected.flatMap(([, elements], output) =>
    Array.from(elements, (value, index) => ({ output, index, value }))
  );
  const short = found.findIndex(({ length }, i) => length !== expected[i]![1].length);
  const fault = short >= 0 ? `${found[short]!.length} elements` : faultOf(found, places, null);
  if (fault !== null) throw new GpuError(`${name}: ${fault}: do not trust this driver`);
}

/** The first variant of each family that an op offers, by the op, in the offer whose result costs least to check. */
function oneOfEach(offers: readonly Offer[]): { offer: Offer; name: string }[] {
  const found = new Map<string, { offer: Offer; name: string }>();
  for (const offer of offers.toSorted((a, b) => a.cost - b.cost)) {
    for (const name of offer.names) {
      const family = `${offer.node.op.name} ${name.split(" ")[0]}`;
      if (!found.has(family)) found.set(family, { offer, name });
    }
  }
  return [...found.values()];
}

async function tryVariant(gpu: Backend, offer: Offer, name: string): Promise<void> {
  const bench = workbench(gpu, offer);
  if (typeof bench === "string") throw new GpuError(bench);
  const trial = await bench.prepare(name), fault = faultOf((await bench.results([trial]))[0]!, bench.expected, null);
  if (fault !== null) {
    throw new GpuError(`${title(offer.key)} by the variant ${name}: ${fault}: do not trust this driver`);
  }
  trial.dispose();
  bench.dispose();
}
