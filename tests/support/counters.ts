/**
 * Counts of what was made on the device under test.
 *
 * @module
 */
import { requestBackend } from "../../src/backend/request.ts";

/** The counters of this process's backend. */
export const { counters } = await requestBackend();
