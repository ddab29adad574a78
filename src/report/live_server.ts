/**
 * The live page of a run that trains: it shows what `report.html` will, is told what is new, and has the run paused,
 * stopped, or its learning rate changed.
 *
 * @module
 */
import { WgradError } from "../errors.ts";
import { EventStream, type LiveEvents } from "./event_stream.ts";
import { livePage } from "./page.ts";
import { html, json, readJson, type ServerOptions, startServer } from "./server.ts";
import type { RunView } from "./run_view.ts";

export type { LiveEvents, LiveState } from "./event_stream.ts";

/** The largest learning rate, as of `--lr`. */
const MAX_LR = 1e6;

/** What a page may ask of the run. Each is called at most once a request, and what it throws is told to the page. */
export interface Controls {
  /** Lets no step begin until `resume`. */
  pause(): void;
  resume(): void;
  /** Ends the run after the steps under way, and saves. */
  stop(): void;
  /** @param lr the learning rate from the next step on: a number from 0 to a million. */
  setLr(lr: number): void;
}

/** What the live page shows and moves. */
export interface LiveOptions extends ServerOptions {
  readonly controls: Controls;
  /** Reads the run as it stands, for a page that has just been opened. */
  snapshot(): Promise<RunView>;
}

/** A served run. */
export interface LiveServer {
  /** The address to print. */
  readonly url: string;
  /** What others must know who open it from elsewhere; undefined where they cannot. */
  readonly note: string | undefined;
  /** Tells the open pages what is new; without one this does nothing. */
  publish<E extends keyof LiveEvents>(event: E, data: LiveEvents[E]): void;
  /** Sends what has not been sent yet, and ends the server. */
  close(): Promise<void>;
}

/**
 * Serves a run.
 *
 * @throws {UsageError} if the port is in use or the address cannot be bound.
 */
export function startLive({ controls, snapshot, ...where }: LiveOptions): LiveServer {
  const events = new EventStream();
  const { url, note, close } = startServer(where, (request, { pathname }) => {
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

/** Does what a page asks for. */
async function control(request: Request, controls: Controls): Promise<Response> {
  const body = await readJson(request);
  if (body instanceof Response) return body;
  try {
    const error = act(body.value, controls);
    return error === undefined ? json(200, { ok: true }) : json(400, { error });
  } catch (error) {
    if (error instanceof WgradError) return json(400, { error: error.message });
    throw error;
  }
}

/** @returns what is wrong with what was asked for; undefined if it is done. */
function act(value: unknown, controls: Controls): string | undefined {
  if (typeof value !== "object" || value === null) return "the body must be an object with an action";
  const { action, lr } = value as { action?: unknown; lr?: unknown };
  if (action === "pause") controls.pause();
  else if (action === "resume") controls.resume();
  else if (action === "stop") controls.stop();
  else if (action !== "lr") return "action must be one of pause, resume, stop, lr";
  else if (typeof lr !== "number" || !(lr >= 0 && lr <= MAX_LR)) return `lr must be a number from 0 to ${MAX_LR}`;
  else if (lr > 0 && Math.fround(lr) === 0) return `lr ${lr} is so small that training would have it as 0`;
  else controls.setLr(lr);
  return undefined;
}
