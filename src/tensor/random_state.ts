/**
 * The random generator's state. A number that is drawn is a function of the seed, its purpose, and how often
 * that was drawn since `manualSeed`, so the state is the seed and two counts: of random tensors, which the CPU draws,
 * and of dropouts, which the GPU counts, since programs run without the CPU.
 *
 * @module
 */
import { Purpose, type RandomKey, randomUint32, seedWords } from "../random.ts";
import { ShapeError } from "../errors.ts";
import { constant, type Value } from "../graph/node.ts";
import { describe } from "../ops/options.ts";
import { Tensor } from "./tensor.ts";

let seed = 0, drawn = 0;

/** What dropouts read and count on: u32 [2], the seed's key and the number of dropouts so far (modulo 2^32). */
export let dropoutState = new Tensor(stateFor(0));

/** Puts the state, from its beginning, into new memory: the old was that of a device that is lost. */
export function renewDropoutState(): void {
  dropoutState = new Tensor(stateFor(0));
}

function stateFor(dropouts: number): Value {
  return constant(Uint32Array.of(randomUint32({ seed, purpose: Purpose.dropout }, 0), dropouts), [2]);
}

/** The stream of the next random tensor. */
export function nextKey(): RandomKey {
  return { seed, purpose: Purpose.user, epoch: drawn++ };
}

/**
 * Starts the sequence of random tensors, and that of dropout's masks, anew: as `torch.manual_seed`, but with a seed
 * from 0 to 2^53 − 1. Without a call, the seed is 0.
 *
 * @throws {ShapeError} where the seed is none.
 */
export function manualSeed(value: number): void {
  restart(value, 0, 0, "manualSeed");
}

function restart(value: number, tensors: number, dropouts: number, action: string): void {
  try {
    seedWords(value);
  } catch (error) {
    throw new ShapeError(`${action}: ${(error as Error).message}`);
  }
  seed = value;
  drawn = tensors;
  dropoutState.assign(stateFor(dropouts), action);
}

/**
 * The generator's state, as `torch.get_rng_state`: `[seed, tensors, dropouts]`, where `tensors` is how many random
 * tensors (`rand`, `randn`, `randint`, the parameters of layers, `nn.init`) were drawn since `manualSeed(seed)`, and
 * `dropouts`, modulo 2^32, how many calls of dropout were computed, by programs too. Three whole numbers, which JSON
 * can hold: with them, and `setRngState`, a resumed run draws what an uninterrupted one would have drawn. Waits for
 * the GPU.
 */
export async function getRngState(): Promise<number[]> {
  const now = [seed, drawn], [, dropouts] = await dropoutState.data();
  return [...now, dropouts!];
}

/**
 * Has the generator go on from `state`, which `getRngState` gave, as `torch.set_rng_state`.
 *
 * @throws {ShapeError} where `state` is not three whole numbers: a seed, and two counts below 2^32.
 */
export function setRngState(state: readonly number[]): void {
  const counts: readonly unknown[] = Array.isArray(state) ? state.slice(1) : [];
  const fits = (one: unknown) => Number.isInteger(one) && one as number >= 0 && one as number < 2 ** 32;
  if (counts.length !== 2 || !counts.every(fits)) {
    const given = Array.isArray(state) ? JSON.stringify(state) : describe(state);
    throw new ShapeError(`setRngState: expected [seed, tensors, dropouts], as getRngState() gives, got ${given}`);
  }
  restart(state[0]!, state[1]!, state[2]!, "setRngState");
}
