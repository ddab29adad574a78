/**
 * The live page of `wgrad train --dashboard`: what it shows of the run, and what it may ask of it.
 *
 * @module
 */
import { UsageError } from "../errors.ts";
import type { LiveServer, LiveState } from "../report/live_server.ts";
import { addLine } from "../report/page/series.js";
import type { RunView } from "../report/run_view.ts";
import type { EvaluationFile } from "../run/evaluation_file.ts";
import type { Session } from "../run/session.ts";
import type { Progress } from "../train/trainer.ts";
import type { Output } from "./output.ts";

/** Where the page is served, as the flags say. */
export interface Where {
  /** `true`: the usual port, or the next free one. */
  readonly port: number | true;
  readonly host: "127.0.0.1" | "::1" | "0.0.0.0" | "::";
}

/** A run's page. It shows the end that it was told of, or else that the run has failed, when it is disposed of. */
export class LiveRun implements AsyncDisposable {
  readonly #live: LiveServer;
  readonly #output: Output;
  #session!: Session;
  #state!: LiveState;
  /** What a page is shown that opens: kept up to date, since reading a long run's files would hold the training up. */
  #view: RunView | null = null;
  /** Where the run is no longer training. */
  #after: "testing" | "finished" | "stopped" | null = null;

  private constructor(live: LiveServer, output: Output) {
    this.#live = live;
    this.#output = output;
  }

  /**
   * Takes the port. To be called before there is anything of a run, since the port may be in use.
   *
   * @throws {UsageError} if it cannot be had.
   */
  static async open({ port, host }: Where, output: Output): Promise<LiveRun> {
    const [{ startLive }, { readRun }] = await Promise.all([
      import("../report/live_server.ts"),
      import("../report/run_view.ts"),
    ]);
    const live = startLive({
      ...(port === true ? {} : { port }),
      host,
      snapshot: async () => run.#view ?? await readRun(run.#session.folder.path),
      controls: {
        pause: () => run.#ask((session) => session.pause(), "paused"),
        resume: () => run.#ask((session) => session.resume(), "resumed"),
        stop: () => run.#ask((session) => session.stop(), "stopping, and saving"),
        setLr: (lr) => run.#ask((session) => session.setLr(lr)), // It says so itself.
      },
    });
    const run = new LiveRun(live, output);
    return run;
  }

  /** Shows a run that begins, and says where. Before this nobody knows the token. */
  async show(session: Session): Promise<void> {
    const { trainer, folder: { path, metrics } } = session, { step, epoch } = trainer.position;
    this.#session = session;
    const { readRun } = await import("../report/run_view.ts");
    this.#view = await readRun(path).catch(() => null); // What is wrong with a file of it, is told to the page.
    metrics.heard = (lines) => {
      for (const line of lines) if (this.#view) addLine(this.#view.series, { ...line });
      this.#live.publish("metrics", lines);
    };
    this.#state = {
      state: "running",
      step,
      totalSteps: trainer.totalSteps,
      epoch,
      loss: null,
      lr: 0,
      imagesPerSecond: null,
      secondsLeft: null,
    };
    this.#tell();
    this.#output.result(`dashboard: ${this.#live.url}`);
    if (this.#live.note) this.#output.result(this.#live.note);
  }

  /** Shows how far the run is. */
  progress({ epoch, step, losses, secondsPerStep }: Progress): void {
    const { trainer } = this.#session;
    this.#tell({
      step,
      epoch,
      loss: losses.reduce((sum, one) => sum + one, 0) / losses.length,
      imagesPerSecond: trainer.images(step) / step / secondsPerStep,
      secondsLeft: secondsPerStep * (trainer.totalSteps - step),
    });
  }

  /** Ends the run, as `session.stop()`. */
  stop(): void {
    this.#session.stop();
    this.#tell();
  }

  /** Shows that the run has trained to its end, or that it has ended. */
  trained(after: "testing" | "finished" | "stopped"): void {
    this.#after = after;
    this.#tell();
  }

  /** Shows the result of the last test. */
  evaluation(result: EvaluationFile): void {
    if (this.#view) this.#view = { ...this.#view, evaluation: result };
    this.#live.publish("evaluation", result);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#state && this.#after !== "finished" && this.#after !== "stopped") this.#tell({ state: "failed" });
    await this.#live.close();
  }

  /** Does what the page asks for, while there are steps to come. */
  #ask(what: (session: Session) => void, news?: string): void {
    if (this.#session.stopped || this.#after) throw new UsageError("the run is ending");
    what(this.#session);
    if (news) this.#output.say(`dashboard: ${news}`);
    this.#tell();
  }

  #tell(news: Partial<LiveState> = {}): void {
    const { stopped, trainer } = this.#session, { totalSteps, position: { step } } = trainer;
    const state = this.#after ?? (stopped ? "stopping" : trainer.paused ? "paused" : "running");
    this.#state = { ...this.#state, state, lr: trainer.rate(Math.min(step, totalSteps - 1)), ...news };
    this.#live.publish("state", this.#state);
  }
}
