/**
 * The live page of `wgrad train --dashboard`: what it shows of the run, and its controls.
 *
 * @module
 */
import { UsageError } from "../errors.ts";
import type { LiveServer, LiveState } from "../report/live_server.ts";
import { addLine, failureOf } from "../report/page/series.js";
import type { RunView } from "../report/run_view.ts";
import type { EvaluationFile } from "../run/evaluation_file.ts";
import type { Session } from "../run/session.ts";
import type { Progress } from "../train/trainer.ts";
import type { Output } from "./output.ts";

/** The address at which the page is served. */
export interface PageAddress {
  /** A port; `true` for the default port or the next free one. */
  readonly port: number | true;
  readonly host: "127.0.0.1" | "::1" | "0.0.0.0" | "::";
}

/** What a run does after its training. */
type AfterTraining = "testing" | "finished" | "ended-early" | "stopped";

/** The page of a run. If it is disposed of before the run was finished or stopped, it shows that the run has failed. */
export class LiveRun implements AsyncDisposable {
  readonly #live: LiveServer;
  readonly #output: Output;
  #session!: Session;
  #state!: LiveState;
  /** What a page shows when it opens. It is kept in memory: reading the files of a long run would delay the training. */
  #view: RunView | null = null;
  /** What the run does after its training; null while it trains. */
  #after: AfterTraining | null = null;

  private constructor(live: LiveServer, output: Output) {
    this.#live = live;
    this.#output = output;
  }

  /**
   * Opens the port. To be called before a run starts, since the port may be in use.
   *
   * @throws {UsageError} if the port cannot be opened.
   */
  static async open({ port, host }: PageAddress, output: Output): Promise<LiveRun> {
    const [{ startLive }, { readRun }] = await Promise.all([
      import("../report/live_server.ts"),
      import("../report/run_view.ts"),
    ]);
    const live = startLive({
      ...(port === true ? {} : { port }),
      host,
      snapshot: async () => run.#view ?? await readRun(run.#session.folder.path),
      controls: {
        pause: () => run.#control((session) => session.pause(), "paused"),
        resume: () => run.#control((session) => session.resume(), "resumed"),
        stop: () => run.#control((session) => session.stop({ test: true }), "stopping, to save and test the weights"),
        setLr: (lr) => run.#control((session) => session.setLr(lr)), // The session prints it.
      },
    });
    const run = new LiveRun(live, output);
    return run;
  }

  /** Shows a run that starts, and prints the address with its token. */
  async show(session: Session): Promise<void> {
    const { trainer, folder: { path, metrics } } = session, { step, epoch } = trainer.position;
    this.#session = session;
    const { readRun } = await import("../report/run_view.ts");
    this.#view = await readRun(path).catch(() => null); // A page that opens then reads the files itself, and shows the error.
    metrics.heard = (lines) => {
      for (const line of lines) if (this.#view) addLine(this.#view.series, { ...line });
      this.#live.publish("metrics", lines);
    };
    this.#state = {
      state: "running",
      step,
      totalSteps: trainer.totalSteps,
      epoch,
      lr: 0,
      secondsLeft: null,
    };
    this.#publish();
    this.#output.result(`dashboard: ${this.#live.url}`);
    if (this.#live.note) this.#output.result(this.#live.note);
  }

  /** Shows how far the run has come. */
  progress({ epoch, step, secondsPerStep }: Progress): void {
    const { totalSteps } = this.#session.trainer;
    this.#publish({ step, epoch, secondsLeft: secondsPerStep * (totalSteps - step) });
  }

  /** Stops the run, as `session.stop()` does. */
  stop(): void {
    this.#session.stop();
    this.#publish();
  }

  /** Shows what the run does now that it no longer trains. */
  trained(after: AfterTraining): void {
    this.#after = after;
    this.#publish();
  }

  /** Shows the result of the last test. */
  evaluation(result: EvaluationFile): void {
    if (this.#view) this.#view = { ...this.#view, evaluation: result };
    this.#live.publish("evaluation", result);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#state && (this.#after === null || this.#after === "testing")) {
      this.#publish({ state: this.#view && failureOf(this.#view.series)?.state || "failed" });
    }
    await this.#live.close();
  }

  /** Does what a control of the page asks for, while the run trains. @param line printed afterwards. */
  #control(action: (session: Session) => void, line?: string): void {
    if (this.#session.stopped || this.#after) throw new UsageError("the run is ending");
    action(this.#session);
    if (line) this.#output.say(`dashboard: ${line}`);
    this.#publish();
  }

  /** Sends the state of the run to the pages. */
  #publish(changes: Partial<LiveState> = {}): void {
    const { stopped, trainer } = this.#session, { totalSteps, position: { step } } = trainer;
    const state = this.#after ?? (stopped ? "stopping" : trainer.paused ? "paused" : "running");
    this.#state = { ...this.#state, state, lr: trainer.rate(Math.min(step, totalSteps - 1)), ...changes };
    this.#live.publish("state", this.#state);
  }
}
