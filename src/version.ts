/**
 * The version of wgrad, which stands in `deno.json` alone.
 *
 * @module
 */
import config from "../deno.json" with { type: "json" };

/** The version, `0.1.0`. */
export const VERSION: string = config.version;
