/**
 * Going on after the device was lost.
 *
 * @module
 */
import { forgetBackend } from "../backend/request.ts";
import { renewDropoutState } from "./random_state.ts";
import { settleAll } from "./realize.ts";

/**
 * Gives up the device. The next computation opens a new one on the same adapter. Tensors and programs of the old one
 * cannot be used any more; the random generator starts as after `manualSeed` with its seed.
 */
export function startOver(): void {
  forgetBackend();
  settleAll();
  renewDropoutState();
}
