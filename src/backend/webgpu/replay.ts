/**
 * Programs on WebGPU: commands that were bound once and are encoded and submitted as often as needed.
 *
 * @module
 */
import type { DispatchTime, Replay } from "../backend.ts";
import { type BoundCommand, type DeviceQueue, submit } from "./encode.ts";
import { profile } from "./timing.ts";

/** The commands that a command buffer holds at most: larger ones gain nothing and hold the driver's memory. */
const COMMANDS = 4096;
/** The milliseconds for which a long run keeps the event loop waiting. A turn of the loop costs about one. */
const TURN_MS = 100;

export class WebGpuReplay implements Replay {
  readonly #queue: DeviceQueue;
  #compiled = false;

  constructor(queue: DeviceQueue, readonly commands: readonly BoundCommand[]) {
    this.#queue = queue;
  }

  async run(steps = 1): Promise<void> {
    await this.#ready();
    const most = Math.max(1, Math.floor(COMMANDS / Math.max(1, this.commands.length)));
    let start = performance.now();
    for (let left = steps; left > 0; left -= most) {
      if (performance.now() - start > TURN_MS) {
        await new Promise((resolve) => setTimeout(resolve, 0)); // A timer of 0: all timers that are due come first.
        start = performance.now();
      }
      submit(this.#queue, this.commands, Math.min(left, most));
    }
  }

  async profile(steps: number): Promise<DispatchTime[]> {
    await this.#ready();
    return await profile(this.#queue, this.commands, steps);
  }

  async #ready(): Promise<void> {
    if (this.#compiled) return;
    await Promise.all(this.commands.flatMap((command) => "pipeline" in command ? [command.pipeline.ready] : []));
    this.#compiled = true;
  }
}
