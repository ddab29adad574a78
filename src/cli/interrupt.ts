/**
 * Ctrl-C, and the system's wish that the process end: the first time the work is finished in good order, the second time
 * the process ends at once.
 *
 * @module
 */

/** Signals this close together are one: a terminal and a task runner both pass a single Ctrl-C on. */
const SAME_MS = 500;

export interface Interruption extends Disposable {
  /** The exit code of the signal that came; null before one came. */
  readonly code: 130 | 143 | null;
}

/** Calls `stop` at the first signal, until it is disposed of. At a second one the process exits. */
export function onInterrupt(stop: () => void): Interruption {
  const signals = ["SIGINT", Deno.build.os === "windows" ? "SIGBREAK" : "SIGTERM"] as const;
  let code: 130 | 143 | null = null, since = 0;
  const listeners = signals.map((signal) =>
    [signal, () => {
      const now = performance.now();
      if (code !== null) {
        if (now - since > SAME_MS) Deno.exit(code);
        return;
      }
      since = now;
      code = signal === "SIGTERM" ? 143 : 130;
      stop();
    }] as const
  );
  for (const [signal, listener] of listeners) Deno.addSignalListener(signal, listener);
  return {
    get code() {
      return code;
    },
    [Symbol.dispose]() {
      for (const [signal, listener] of listeners) Deno.removeSignalListener(signal, listener);
    },
  };
}
