/**
 * Ctrl-C, a terminal that is closed, and the system's signal to end the process: at the first signal the work is stopped and
 * saved, at the second one the process ends at once.
 *
 * @module
 */

/** The signals, and the exit code for each. */
const CODES = Deno.build.os === "windows"
  ? { SIGINT: 130, SIGBREAK: 130 } as const
  : { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

/** Signals within this time count as one: for a single Ctrl-C, both the terminal and a task runner send a signal. */
const SAME_MS = 500;

/** Listens for signals until it is disposed of. */
export interface Interruption extends Disposable {
  /** The exit code for the signal that was received; null before that. */
  readonly code: number | null;
}

/** Calls `stop` at the first signal. At a second one the process exits. */
export function onInterrupt(stop: () => void): Interruption {
  let code: number | null = null, since = 0;
  const listeners = Object.entries(CODES).map(([signal, ofSignal]) =>
    [signal as Deno.Signal, () => {
      const now = performance.now();
      if (code !== null) {
        if (now - since > SAME_MS) Deno.exit(code);
        return;
      }
      since = now;
      code = ofSignal;
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
