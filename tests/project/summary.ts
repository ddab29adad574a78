/**
 * Reads the summary line of `deno test`.
 *
 * @module
 */

/** The counts of one run. */
export interface Summary {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

/** The counts in the last summary line of the output, such as `ok | 3 passed (2 steps) | 0 failed | 1 ignored (9ms)`. */
export function parseSummary(output: string): Summary {
  // Colours are on even in a pipe.
  // deno-lint-ignore no-control-regex
  const lines = output.replace(/\x1b\[[\d;]*m/g, "").split("\n");
  const line = lines.findLast((line) => /^(ok|FAILED) \| \d+ passed/.test(line)) ?? "";
  const count = (word: string) => Number(new RegExp(`\\| (\\d+) ${word}`).exec(line)?.[1] ?? 0);
  return { passed: count("passed"), failed: count("failed"), skipped: count("ignored") };
}
