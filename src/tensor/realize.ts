/**
 * Computing what tensors stand for, in the order in which it is asked for.
 *
 * @module
 */
import { ShapeError, TrainingError } from "../errors.ts";
import { requestBackend } from "../backend/request.ts";
import type { Data } from "../graph/node.ts";
import { compute } from "./anomaly.ts";
import { forget } from "./autograd.ts";
import type { Handle } from "./handle.ts";
import { watcher } from "./watch.ts";

/** Tensors updated in place whose new elements are not computed yet. They are computed together with the next tensor that is read. */
const updated = new Set<Handle>();

/** Notes that `tensor` was updated in place. */
export function unsettle(tensor: Handle): void {
  updated.add(tensor);
}

/** Forgets that `tensor` was updated: the caller takes care of its elements. */
export function settle(tensor: Handle): void {
  updated.delete(tensor);
}

/** Forgets all updated tensors: the device that held them is lost. */
export function settleAll(): void {
  updated.clear();
}

let turn: Promise<unknown> = Promise.resolve();

/** Runs `task` after all tasks given before it, so that what is started first sees and changes the device first. */
export function inTurn<T>(task: () => Promise<T>): Promise<T> {
  const done = turn.then(task);
  turn = done.catch(() => {});
  return done;
}

/**
 * The elements of each of `tensors`, as they are now, in one wait. Computes what they need, and all tensors that were
 * updated in place; what was computed stays on the device.
 */
export async function readAll(tensors: readonly Handle[]): Promise<Data[]> {
  if (watcher()) throw new ShapeError("elements cannot be read while a step is recorded: return the tensor from it");
  const values = [...tensors, ...updated].map((one) => one.value);
  updated.clear();
  const { reading } = await inTurn(async () => {
    const backend = await requestBackend();
    const asked = values.slice(0, tensors.length);
    await compute(backend, values).catch(async (error) => {
      if (error instanceof TrainingError) throw error;
      // A tensor that was updated may have lost what it needs. The error is thrown when that tensor is read.
      await compute(backend, asked);
    });
    values.forEach(forget);
    const reading = backend.read(asked.map((value) => value.storage!));
    reading.catch(() => {});
    return { reading }; // Not awaited in turn: other tasks need not wait until the elements have arrived.
  });
  const bytes = await reading;
  return tensors.map(({ dtype }, i) => dtype === "f32" ? new Float32Array(bytes[i]!) : new Uint32Array(bytes[i]!));
}
