/**
 * The recorder: one object holds all settings of what is being recorded now.
 *
 * @module
 */

/** What a node was recorded for in anomaly mode: the gradient of an op, or (null) a forward step. */
export interface Trace {
  readonly gradientOf: { readonly name: string; readonly gradName?: string } | null;
}

/** What can be set while a function runs. */
export interface RecorderSettings {
  /** Whether what depends on values that need gradients needs them too. */
  readonly gradients?: boolean;
  /** Whether values are marked as read. What a program reads may change between its runs, so it marks none. */
  readonly reads?: boolean;
}

class Recorder {
  gradients = true;
  reads = true;
  /** The trace of the nodes that are recorded; null: they are not traced. */
  trace: Trace | null = null;
  /** Whether any node was traced so far. If not, no graph has to be searched for traced nodes. */
  traced = false;
  /** The names of the fusion rules that are not applied: for tests, and to find the rule that causes an error. */
  readonly skippedRules: Set<string> = new Set();
  /** The number of the next value. Values are numbered as they are recorded: the numbers give an order of execution. */
  nextId = 0;

  /** Runs `fn` with `settings`. */
  with<T>(settings: RecorderSettings, fn: () => T): T {
    const { gradients = this.gradients, reads = this.reads } = settings, before = [this.gradients, this.reads] as const;
    [this.gradients, this.reads] = [gradients, reads];
    try {
      return fn();
    } finally {
      [this.gradients, this.reads] = before;
    }
  }

  /** Runs `fn`, which records the gradient of `op`. */
  gradientOf<T>(op: Trace["gradientOf"], fn: () => T): T {
    const before = this.trace;
    if (before) this.trace = { gradientOf: op };
    try {
      return fn();
    } finally {
      this.trace = before;
    }
  }
}

export const recorder = new Recorder();

/** Runs `fn`, which records a program: what it reads may change between the program's runs. */
export function withoutReads<T>(fn: () => T): T {
  return recorder.with({ reads: false }, fn);
}

/** Runs `fn` without recording what gradients would need. */
export function withoutGradients<T>(fn: () => T): T {
  return recorder.with({ gradients: false }, fn);
}
