/**
 * Serves the live page of a run while it trains. The page shows the same as `report.html` and receives what is new. It can
 * pause and stop the run, and change its learning rate.
 *
 * @module
 */
import { WgradError } from "../errors.ts";
import { EventStream, type LiveEvents } from "./event_stream.ts";
import { livePage } from "./page.ts";
import { html, json, readJson, type ServerOptions, startServer } from "./server.ts";
import type { RunView } from "./run_view.ts";

export type { LiveEvents, LiveState } from "./event_stream.ts";

/** The largest learning rate, the same as for `--lr`. */
const MAX_LR = 1e6;

/** The actions that a page may request. A request calls at most one of them; if it throws, the page shows the error. */
export interface Controls {
  /** Starts no further step until `resume()`. */
  pause(): void;
  resume(): void;
  /** Ends the run after the steps that have started, and saves. */
  stop(): void;
  /** @param lr the learning rate from the next step on: a number from 0 to a million. */
  setLr(lr: number): void;
}

/** Options of `startLive()`. */
export interface LiveOptions extends ServerOptions {
  readonly controls: Controls;
  /** Reads the present state of the run, for a page that has just been opened. */
  snapshot(): Promise<RunView>;
}

/** The running server of a live page. */
export interface LiveServer {
  /** The URL to print. */
  readonly url: string;
  /** How to open the page from another machine; undefined if that is not possible. */
  readonly note: string | undefined;
  /** Sends an event to the open pages. Without an open page, it does nothing. */
  publish<E extends keyof LiveEvents>(event: E, data: LiveEvents[E]): void;
  /** Sends the remaining events, and stops the server. */
  close(): Promise<void>;
}

/**
 * Starts the server of a live page.
 *
 * @throws {UsageError} if the port is in use or the address cannot be bound.
 */
export async function startLive({ controls, snapshot, ...where }: LiveOptions): Promise<LiveServer> {
  const events = new EventStream();
  const { url, note, close } = await startServer(where, (request, { pathname }) => {
    const route = `${request.method} ${pathname}`;
    if (route === "GET /") return html(livePage());
    if (route === "GET /events") return events.connect(snapshot);
    if (route === "POST /control") return control(request, controls);
    return undefined;
  });
  return {
    url,
    note,
    publish: (event, data) => events.publish(event, data),
    async close() {
      events.close();
      await close();
    },
  };
}

/** Answers a request for an action. */
async function control(request: Request, controls: Controls): Promise<Response> {
  const body = await readJson(request);
  if (body instanceof Response) return body;
  try {
    const error = runAction(body.value, controls);
    return error === undefined ? json(200, { ok: true }) : json(400, { error });
  } catch (error) {
    if (error instanceof WgradError) return json(400, { error: error.message });
    throw error;
  }
}

/** Runs the requested action. @returns what is wrong with the request; undefined if the action was run. */
function runAction(value: unknown, controls: Controls): string | undefined {
  if (typeof value !== "object" || value === null) return "the body must be an object with an action";
  const { action, lr } = value as { action?: unknown; lr?: unknown };
  if (action === "pause") controls.pause();
  else if (action === "resume") controls.resume();
  else if (action === "stop") controls.stop();
  else if (action !== "lr") return "action must be one of pause, resume, stop, lr";
  else if (typeof lr !== "number" || !(lr >= 0 && lr <= MAX_LR)) return `lr must be a number from 0 to ${MAX_LR}`;
  else if (lr > 0 && Math.fround(lr) === 0) return `lr ${lr} is so small that it is 0 in float32`;
  else controls.setLr(lr);
  return undefined;
}
