/**
 * Errors of the file system as errors of this program.
 *
 * @module
 */
import { DataError, WgradError } from "../errors.ts";

/** Turns what the system threw while doing `action` to `path` into one clear line; our own errors pass unchanged. */
export function fileError(action: string, path: string, error: unknown): WgradError {
  if (error instanceof WgradError) return error;
  let why: string;
  if (error instanceof Deno.errors.NotFound) why = "no such file or folder";
  else if (error instanceof Deno.errors.NotCapable) why = "this program was started without permission for it";
  else if (error instanceof Deno.errors.PermissionDenied) why = "permission denied";
  else if (error instanceof Deno.errors.IsADirectory) why = "it is a folder";
  else if (error instanceof Deno.errors.NotADirectory) why = "a part of its path is no folder";
  // Without the number, and what the runtime did with which path.
  else why = (error instanceof Error ? error.message : String(error)).replace(/ \(os error \d+\)(: .*)?$/s, "");
  return new DataError(`cannot ${action} ${path}: ${why}`);
}
