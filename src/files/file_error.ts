/**
 * Errors of the file system as errors of this program.
 *
 * @module
 */
import { DataError, WgradError } from "../errors.ts";

/**
 * Turns an error of the file system into one clear line: "cannot `action` `path`: the reason". An error of wgrad itself is
 * returned unchanged.
 *
 * @param action what the program tried to do, such as "read"
 */
export function fileError(action: string, path: string, error: unknown): WgradError {
  if (error instanceof WgradError) return error;
  let why: string;
  if (error instanceof Deno.errors.NotFound) why = "no such file or folder";
  else if (error instanceof Deno.errors.NotCapable) why = "this program was started without permission for it";
  else if (error instanceof Deno.errors.PermissionDenied) why = "permission denied";
  else if (error instanceof Deno.errors.IsADirectory) why = "it is a folder";
  else if (error instanceof Deno.errors.NotADirectory) why = "a part of its path is not a folder";
  // Without the error's number, and without the path, which the message has already.
  else why = (error instanceof Error ? error.message : String(error)).replace(/ \(os error \d+\)(: .*)?$/s, "");
  return new DataError(`cannot ${action} ${path}: ${why}`);
}
