/**
 * Sends server-sent events to all open pages. This costs the trainer almost nothing: without an open page only the latest
 * state is kept; with pages, the events of a quarter of a second are encoded once for all of them.
 *
 * @module
 */
import { SECURITY_HEADERS } from "./access.ts";
import { text } from "./server.ts";
import type { RunState } from "./run_view.ts";

/** The progress of a run. Its loss and its images per second are not here: the page has them from the lines of metrics. */
export interface LiveState {
  readonly state: RunState;
  /** The number of steps done. */
  readonly step: number;
  readonly totalSteps: number;
  /** Counts from 1. */
  readonly epoch: number;
  /** The learning rate of the next step. */
  readonly lr: number;
  /** Null while it is not known yet. */
  readonly secondsLeft: number | null;
}

/** The events and their data. Before these, a new page receives a `snapshot`. */
export interface LiveEvents {
  /** New lines of `metrics.jsonl`. */
  readonly metrics: readonly object[];
  readonly state: LiveState;
  /** One result on held-out images. */
  readonly evaluation: object;
}

/** The shortest time between two messages, in milliseconds. */
const INTERVAL = 250;

/** The most lines of metrics in a message. If there are more, some are left out; a page that is reloaded gets all. */
const MAX_LINES = 256;

/** Milliseconds between the comments that keep an idle connection open. */
const HEARTBEAT = 15_000;

/** Milliseconds after which a disconnected page connects again. */
const RETRY = 2000;

/** A page that reads slowly is disconnected if more bytes than these are waiting for it, not counting the snapshot. */
const MAX_BACKLOG = 1 << 20;

/** The most pages that may be open at once. */
const MAX_CLIENTS = 16;

interface Client {
  readonly controller: ReadableStreamDefaultController<Uint8Array>;
  /** Messages that wait until the snapshot has been sent; undefined after that. */
  held: Uint8Array[] | undefined;
  /** The most bytes that may wait. */
  limit: number;
}

/** The stream of events of one run. */
export class EventStream {
  readonly #clients = new Set<Client>();
  #state: LiveState | undefined;
  /** The events since the last message. */
  #pending = nothingPending();
  #lastSent = -Infinity;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #heartbeat: ReturnType<typeof setInterval> | undefined;
  #closed = false;

  /** The number of open pages. */
  get clients(): number {
    return this.#clients.size;
  }

  /** Sends an event to all pages within a quarter of a second. Of several states only the last one is sent. */
  publish<E extends keyof LiveEvents>(event: E, data: LiveEvents[E]): void {
    if (event === "state") this.#state = data as LiveState;
    if (this.#clients.size === 0) return;
    if (event === "state") this.#pending.state = true;
    else if (event === "metrics") this.#pending.metrics.push(...data as LiveEvents["metrics"]);
    else this.#pending.evaluations.push(data);
    this.#timer ??= setTimeout(() => this.#send(), Math.max(0, this.#lastSent + INTERVAL - performance.now()));
  }

  /**
   * Makes the event stream of a new page: the snapshot, the latest state, and then the published events.
   *
   * @param snapshot called once. Lines of metrics in the snapshot may be sent again after it.
   */
  connect(snapshot: () => Promise<object>): Response {
    if (this.#closed || this.#clients.size >= MAX_CLIENTS) {
      return text(503, `${MAX_CLIENTS} pages are open already. Close one of them.`, { "retry-after": "5" });
    }
    let client: Client;
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => {
        client = { controller, held: [], limit: MAX_BACKLOG };
        this.#clients.add(client);
        this.#heartbeat ??= setInterval(() => this.#broadcast(encode(": still here\n\n")), HEARTBEAT);
        this.#begin(client, snapshot).catch((error) => this.#drop(client, error));
      },
      cancel: () => this.#drop(client),
    }, new ByteLengthQueuingStrategy({ highWaterMark: 0 }));
    return new Response(body, { headers: { ...SECURITY_HEADERS, "content-type": "text/event-stream; charset=utf-8" } });
  }

  /** Sends the remaining events, and ends all streams. */
  close(): void {
    if (this.#timer !== undefined) this.#send();
    this.#closed = true;
    for (const client of this.#clients) this.#drop(client);
  }

  async #begin(client: Client, snapshot: () => Promise<object>): Promise<void> {
    client.controller.enqueue(encode(`retry: ${RETRY}\n\n`));
    const first = message("snapshot", await snapshot());
    client.limit += first.length;
    const held = client.held ?? [];
    client.held = undefined;
    const state = this.#state === undefined ? [] : [message("state", this.#state)];
    for (const part of [first, ...held, ...state]) this.#deliver(client, part);
  }

  #send(): void {
    const { metrics, evaluations, state } = this.#pending;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#pending = nothingPending();
    this.#lastSent = performance.now();
    const parts = evaluations.map((evaluation) => eventText("evaluation", evaluation));
    if (metrics.length > 0) parts.unshift(eventText("metrics", thin(metrics)));
    if (state) parts.push(eventText("state", this.#state!));
    this.#broadcast(encode(parts.join("")));
  }

  #broadcast(bytes: Uint8Array): void {
    for (const client of this.#clients) this.#deliver(client, bytes);
  }

  #deliver(client: Client, bytes: Uint8Array): void {
    if (!this.#clients.has(client)) return;
    const { controller, held, limit } = client;
    if (held !== undefined) held.push(bytes);
    else controller.enqueue(bytes);
    const waiting = held?.reduce((sum, { length }) => sum + length, 0) ?? -controller.desiredSize!;
    if (waiting > limit) this.#drop(client, new Error("the page reads too slowly"));
  }

  /** Ends the stream of a page. With an error, the bytes that wait for it are discarded. */
  #drop(client: Client, error?: unknown): void {
    if (!this.#clients.delete(client)) return;
    try {
      if (error === undefined) client.controller.close();
      else client.controller.error(error);
    } catch {
      // The page has already closed it.
    }
    if (this.#clients.size > 0) return;
    clearInterval(this.#heartbeat);
    clearTimeout(this.#timer);
    this.#heartbeat = this.#timer = undefined;
    this.#pending = nothingPending();
  }
}

function nothingPending(): { metrics: object[]; evaluations: object[]; state: boolean } {
  return { metrics: [], evaluations: [], state: false };
}

/** At most `MAX_LINES` of the lines with a loss, evenly spaced and with the last one, and all other lines, which are rare. */
function thin(lines: readonly object[]): readonly object[] {
  const every = Math.ceil(lines.length / MAX_LINES);
  return lines.filter((line, i) => (lines.length - 1 - i) % every === 0 || !("loss" in line));
}

function eventText(event: string, data: object): string {
  return `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}

function message(event: string, data: object): Uint8Array {
  return encode(eventText(event, data));
}

function encode(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
