/**
 * Server-sent events to all open pages. Publishing costs the trainer next to nothing: without a page nothing is kept but
 * the last state, and with pages the news of a quarter of a second is turned into text once, for all of them.
 *
 * @module
 */
import { SECURITY_HEADERS } from "./access.ts";
import { text } from "./server.ts";
import type { RunState } from "./run_view.ts";

/** How a run stands. */
export interface LiveState {
  readonly state: RunState;
  /** Steps done. */
  readonly step: number;
  readonly totalSteps: number;
  /** From 1. */
  readonly epoch: number;
  /** Mean loss of the last steps; null before the first. */
  readonly loss: number | null;
  /** The learning rate of the next step. */
  readonly lr: number;
  /** Null where it is not known yet, as is the time left. */
  readonly imagesPerSecond: number | null;
  readonly secondsLeft: number | null;
}

/** The events that are published, each with its data. Besides them a page gets a `snapshot` at first. */
export interface LiveEvents {
  /** New lines of `metrics.jsonl`. */
  readonly metrics: readonly object[];
  readonly state: LiveState;
  /** One result on held-out images. */
  readonly evaluation: object;
}

/** Milliseconds between two messages, at least. */
const INTERVAL = 250;

/** Lines of training in a message, at most. Faster runs are thinned out; a page that is opened again has every line. */
const MAX_LINES = 256;

/** Milliseconds between comments that keep silent connections open. */
const HEARTBEAT = 15_000;

/** Milliseconds until a page that was cut off connects again. */
const RETRY = 2000;

/** Bytes, besides the snapshot, that may wait for a page that reads slowly; more, and it is cut off. */
const MAX_BACKLOG = 1 << 20;

/** Pages that may listen at once. */
const MAX_CLIENTS = 16;

interface Client {
  readonly controller: ReadableStreamDefaultController<Uint8Array>;
  /** What is published while the snapshot is read, and belongs behind it; undefined from then on. */
  held: Uint8Array[] | undefined;
  /** Bytes that may wait. */
  limit: number;
}

/** The stream of events of one run. */
export class EventStream {
  readonly #clients = new Set<Client>();
  #state: LiveState | undefined;
  /** News since the last message. */
  #news = noNews();
  #lastSent = -Infinity;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #heartbeat: ReturnType<typeof setInterval> | undefined;
  #closed = false;

  /** How many pages listen. */
  get clients(): number {
    return this.#clients.size;
  }

  /** Tells all pages, within a quarter of a second. Of several states only the last is told. */
  publish<E extends keyof LiveEvents>(event: E, data: LiveEvents[E]): void {
    if (event === "state") this.#state = data as LiveState;
    if (this.#clients.size === 0) return;
    if (event === "state") this.#news.state = true;
    else if (event === "metrics") this.#news.metrics.push(...data as LiveEvents["metrics"]);
    else this.#news.evaluations.push(data);
    this.#timer ??= setTimeout(() => this.#send(), Math.max(0, this.#lastSent + INTERVAL - performance.now()));
  }

  /**
   * A new page's stream: the snapshot, the last state, and then what is published.
   *
   * @param snapshot is asked once. Lines of metrics that it holds already may come again behind it.
   */
  connect(snapshot: () => Promise<object>): Response {
    if (this.#closed || this.#clients.size >= MAX_CLIENTS) {
      return text(503, `${MAX_CLIENTS} pages are open already: close one.`, { "retry-after": "5" });
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

  /** Sends what is left, and ends all streams. */
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
    for (const part of [first, ...held, ...state]) this.#give(client, part);
  }

  #send(): void {
    const { metrics, evaluations, state } = this.#news;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#news = noNews();
    this.#lastSent = performance.now();
    const parts = evaluations.map((one) => eventText("evaluation", one));
    if (metrics.length > 0) parts.unshift(eventText("metrics", thin(metrics)));
    if (state) parts.push(eventText("state", this.#state!));
    this.#broadcast(encode(parts.join("")));
  }

  #broadcast(bytes: Uint8Array): void {
    for (const client of this.#clients) this.#give(client, bytes);
  }

  #give(client: Client, bytes: Uint8Array): void {
    if (!this.#clients.has(client)) return;
    const { controller, held, limit } = client;
    if (held !== undefined) held.push(bytes);
    else controller.enqueue(bytes);
    const waiting = held?.reduce((sum, { length }) => sum + length, 0) ?? -controller.desiredSize!;
    if (waiting > limit) this.#drop(client, new Error("the page reads too slowly"));
  }

  /** Ends a page's stream; with an error, also what waits for it is thrown away. */
  #drop(client: Client, error?: unknown): void {
    if (!this.#clients.delete(client)) return;
    try {
      if (error === undefined) client.controller.close();
      else client.controller.error(error);
    } catch {
      // The page has closed it already.
    }
    if (this.#clients.size > 0) return;
    clearInterval(this.#heartbeat);
    clearTimeout(this.#timer);
    this.#heartbeat = this.#timer = undefined;
    this.#news = noNews();
  }
}

function noNews(): { metrics: object[]; evaluations: object[]; state: boolean } {
  return { metrics: [], evaluations: [], state: false };
}

/** At most `MAX_LINES` of the lines of training, evenly spread, with the last; and all others, which are rare. */
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
