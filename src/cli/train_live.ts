/**
 * The live page of `wgrad train --dashboard`: what it shows of the run, and what it may ask of it.
 *
 * @module
 */
import type { Live, LiveState } from "../report/live.ts";
import type { Session } from "../train/session.ts";
import type { Progress } from "../train/trainer.ts";
import type { Output } from "./output.ts";

/** Where the page is served, as the flags say. */
export interface Where {
  /** `true`: the usual port, or the next free one. */
  readonly port: number | true;
  readonly host: "127.0.0.1" | "::1" | "0.0.0.0" | "::";
}

/** A run's page. */
export class LiveRun {
  readonly #session: Session;
  readonly #live: Live;
  #state: LiveState;

  private constructor(session: Session, live: Live) {
    const { trainer } = session, { step, epoch } = trainer.position;
    this.#session = session;
    this.#live = live;
    this.#state = {
      state: "running",
      step,
      totalSteps: trainer.totalSteps,
      epoch,
      loss: null,
      lr: trainer.rate(step),
      imagesPerSecond: null,
      secondsLeft: null,
    };
    session.folder.metrics.heard = (lines) => live.publish("metrics", lines);
    live.publish("state", this.#state);
  }

  /** Serves the page, and says where. */
  static async open({ port, host }: Where, session: Session, output: Output): Promise<LiveRun> {
    const [{ startLive }, { readRun }] = await Promise.all([import("../report/live.ts"), import("../report/view.ts")]);
    const tell = (state: LiveState["state"], news: string) => {
      run.#tell({ state });
      output.say(`dashboard: ${news}`);
    };
    const live = startLive({
      ...(port === true ? {} : { port }),
      host,
      snapshot: () => readRun(session.folder.path),
      controls: {
        pause() {
          session.pause();
          tell("paused", "paused");
        },
        resume() {
          session.resume();
          tell("running", "resumed");
        },
        stop() {
          session.stop();
          tell("stopping", "stopping, and saving");
        },
        setLr(lr) {
          session.setLr(lr);
          run.#tell({ lr });
        },
      },
    });
    const run = new LiveRun(session, live);
    output.result(`dashboard: ${live.url}`);
    return run;
  }

  /** Shows how far the run is. */
  progress({ epoch, step, losses, secondsPerStep }: Progress): void {
    const { trainer } = this.#session, images = trainer.images(step) - trainer.images(step - losses.length);
    this.#tell({
      step,
      epoch,
      loss: losses.reduce((sum, one) => sum + one, 0) / losses.length,
      lr: trainer.rate(step - 1),
      imagesPerSecond: images / losses.length / secondsPerStep,
      secondsLeft: secondsPerStep * (trainer.totalSteps - step),
    });
  }

  /** Shows the result of the last test. */
  evaluation(result: object): void {
    this.#live.publish("evaluation", result);
  }

  /** Shows that the run has ended, and ends the server. */
  async close(state: "finished" | "failed"): Promise<void> {
    this.#tell({ state });
    await this.#live.close();
  }

  #tell(news: Partial<LiveState>): void {
    this.#state = { ...this.#state, ...news };
    this.#live.publish("state", this.#state);
  }
}
