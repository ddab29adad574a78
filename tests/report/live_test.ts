import { assert, assertEquals } from "@std/assert";
import { TrainingError } from "../../src/errors.ts";
import { EventStream } from "../../src/report/event_stream.ts";
import { type Controls, type LiveServer, type LiveState, startLive } from "../../src/report/live_server.ts";
import { startServer } from "../../src/report/server.ts";
import { noSeries } from "../../src/report/page/series.js";
import type { RunView } from "../../src/report/run_view.ts";
import { exchange } from "./raw_http.ts";

/** One event as a page gets it. */
interface Event {
  readonly event: string;
  // deno-lint-ignore no-explicit-any
  readonly data: any;
}

/** A page: its events one by one, and the way to close it. */
class Page implements AsyncDisposable {
  readonly #reader: ReadableStreamDefaultReader<string>;
  #text = "";

  private constructor(body: ReadableStream<Uint8Array<ArrayBuffer>>) {
    this.#reader = body.pipeThrough(new TextDecoderStream()).getReader();
  }

  static async open(live: LiveServer): Promise<Page> {
    const response = await fetch(live.url.replace("/?", "/events?"));
    assertEquals([response.status, response.headers.get("content-type")], [200, "text/event-stream; charset=utf-8"]);
    return new Page(response.body!);
  }

  /** The next event, or undefined at the stream's end. Comments and the time to the next try are passed over. */
  async next(): Promise<Event | undefined> {
    for (;;) {
      const end = this.#text.indexOf("\n\n");
      if (end >= 0) {
        const [block, rest] = [this.#text.slice(0, end), this.#text.slice(end + 2)];
        this.#text = rest;
        const match = /^event: (\w+)\ndata: (.*)$/.exec(block);
        if (match) return { event: match[1]!, data: JSON.parse(match[2]!) };
        assert(/^(retry: \d+|:.*)$/.test(block), block);
        continue;
      }
      const { value, done } = await this.#reader.read();
      if (done) return undefined;
      this.#text += value;
    }
  }

  async [Symbol.asyncDispose]() {
    await this.#reader.cancel().catch(() => {});
  }
}

const SNAPSHOT: RunView = {
  name: "run",
  path: "runs/run",
  state: "running",
  config: { model: "lenet", data: "synthetic", optimizer: "sgd" },
  defaults: {},
  environment: {},
  series: noSeries(),
  badLines: 0,
};

function stateAt(step: number, state: LiveState["state"] = "running"): LiveState {
  return { state, step, totalSteps: 1e6, epoch: 1, lr: 0.1, secondsLeft: 1 };
}

/** Serves a run that is made up, and notes what it is asked for. */
async function withLive(
  test: (live: LiveServer, asked: unknown[]) => Promise<void>,
  snapshot: () => Promise<RunView> = () => Promise.resolve(SNAPSHOT),
  changes: Partial<Controls> = {},
) {
  const asked: unknown[] = [];
  const controls = {
    pause: () => asked.push("pause"),
    resume: () => asked.push("resume"),
    stop: () => asked.push("stop"),
    setLr: (lr: number) => asked.push(lr),
    ...changes,
  };
  const live = startLive({ port: 0, controls, snapshot });
  try {
    await test(live, asked);
  } finally {
    await live.close();
  }
}

function post(live: LiveServer, body: string): Promise<[status: number, answer: unknown]> {
  const init = { method: "POST", headers: { "content-type": "application/json" }, body };
  return fetch(live.url.replace("/?", "/control?"), init).then(async (it) => [it.status, await it.json()]);
}

Deno.test("a page gets the snapshot, the last state, and then what is published", () =>
  withLive(async (live) => {
    live.publish("state", stateAt(1));
    live.publish("metrics", [{ step: 1, loss: 2 }]); // No page is open: it is in the snapshot alone.
    await using page = await Page.open(live);
    assertEquals(await page.next(), { event: "snapshot", data: SNAPSHOT });
    assertEquals(await page.next(), { event: "state", data: stateAt(1) });
    live.publish("metrics", [{ step: 2, loss: 1.5 }, { step: 3, loss: 1 }]);
    assertEquals(await page.next(), { event: "metrics", data: [{ step: 2, loss: 1.5 }, { step: 3, loss: 1 }] });
    live.publish("evaluation", { step: 3, accuracy: 0.5 });
    assertEquals(await page.next(), { event: "evaluation", data: { step: 3, accuracy: 0.5 } });
    live.publish("state", stateAt(3, "finished"));
    await live.close();
    assertEquals(await page.next(), { event: "state", data: stateAt(3, "finished") });
    assertEquals(await page.next(), undefined);
  }));

Deno.test("what is published at once is one message: all lines, each evaluation, the last state", () =>
  withLive(async (live) => {
    await using page = await Page.open(live);
    await page.next();
    for (let step = 1; step <= 200; step++) {
      live.publish("state", stateAt(step));
      live.publish("metrics", [{ step }]);
      if (step % 100 === 0) live.publish("evaluation", { step });
    }
    const lines = await page.next();
    assertEquals(lines!.data, Array.from({ length: 200 }, (_, i) => ({ step: i + 1 })));
    assertEquals(await page.next(), { event: "evaluation", data: { step: 100 } });
    assertEquals(await page.next(), { event: "evaluation", data: { step: 200 } });
    assertEquals(await page.next(), { event: "state", data: stateAt(200) });
    // A flood is thinned out evenly, and ends with its last line.
    const flood: object[] = Array.from({ length: 1000 }, (_, step) => ({ step, loss: 1 }));
    live.publish("metrics", flood);
    assertEquals((await page.next())!.data, flood.filter((_, i) => i % 4 === 3));
    // What is no line of training is not thrown away.
    flood[500] = { step: 500, event: "lr" };
    live.publish("metrics", flood);
    assertEquals((await page.next())!.data, flood.filter((_, i) => i % 4 === 3 || i === 500));
  }));

Deno.test("what is published while the snapshot is read comes behind it", async () => {
  const { promise, resolve } = Promise.withResolvers<RunView>();
  const called = Promise.withResolvers<void>();
  const snapshot = () => (called.resolve(), promise);
  await withLive(async (live) => {
    await using early = await Page.open(live);
    await called.promise;
    // The message is made, and without the wait for the snapshot it would be sent at once.
    const made = Promise.withResolvers<void>();
    live.publish("metrics", [{ toJSON: () => (made.resolve(), { step: 2 }) }]);
    live.publish("state", stateAt(2));
    await made.promise;
    resolve(SNAPSHOT);
    assertEquals((await early.next())!.event, "snapshot");
    assertEquals((await early.next())!.data, [{ step: 2 }]);
    assertEquals((await early.next())!.data, stateAt(2));
  }, snapshot);
});

Deno.test("a snapshot that fails ends the page's stream, not the run", async () => {
  let calls = 0;
  const snapshot = () => ++calls === 1 ? Promise.reject(new Error("no file")) : Promise.resolve(SNAPSHOT);
  await withLive(async (live) => {
    await using page = await Page.open(live);
    assertEquals(await page.next().catch(() => undefined), undefined);
    await using again = await Page.open(live);
    assertEquals((await again.next())!.event, "snapshot");
  }, snapshot);
});

Deno.test("controls do what the page asks for, once each", () =>
  withLive(async (live, asked) => {
    const actions = [{ action: "pause" }, { action: "resume" }, { action: "lr", lr: 0 }, { action: "lr", lr: 1e-3 }, {
      action: "lr",
      lr: 1e6,
    }];
    for (const action of [...actions, { action: "stop" }]) {
      assertEquals(await post(live, JSON.stringify(action)), [200, { ok: true }]);
    }
    assertEquals(asked, ["pause", "resume", 0, 1e-3, 1e6, "stop"]);
  }));

Deno.test("controls refuse what is no action, and a learning rate that is not a number of at least 0", () =>
  withLive(async (live, asked) => {
    for (const body of ["null", "1", '"pause"']) {
      assertEquals(await post(live, body), [400, { error: "the body must be an object with an action" }]);
    }
    for (const body of ["[]", "{}", '{"action":"save"}', '{"action":["pause"]}', '{"action":"__proto__"}']) {
      assertEquals(await post(live, body), [400, { error: "action must be one of pause, resume, stop, lr" }]);
    }
    for (const lr of ["-1", '"0.1"', "null", "1e999", "1e39", "-1e-9", "[1]", "1e7"]) {
      const answer = await post(live, `{"action":"lr","lr":${lr}}`);
      assertEquals(answer, [400, { error: "lr must be a number from 0 to 1000000" }], lr);
    }
    const tiny = await post(live, '{"action":"lr","lr":1e-50}');
    assertEquals(tiny, [400, { error: "lr 1e-50 is so small that it is 0 in float32" }]);
    assertEquals(asked, []);
  }));

Deno.test("what a control throws is told to the page", () =>
  withLive(
    async (live) => {
      assertEquals(await post(live, '{"action":"pause"}'), [400, { error: "the run has ended" }]);
    },
    undefined,
    {
      pause: () => {
        throw new TrainingError("the run has ended");
      },
    },
  ));

Deno.test("the stream and the controls need the token too", () =>
  withLive(async (live, asked) => {
    const host = `host: ${new URL(live.url).host}`, body = '{"action":"stop"}';
    for (const [line, text] of [["GET /", ""], ["GET /events", ""], ["POST /control", body]] as const) {
      const lines = [`${line} HTTP/1.1`, host, "content-type: application/json", `content-length: ${text.length}`];
      assertEquals((await exchange(live.url, lines, text)).status, 403);
    }
    assertEquals(asked, []);
  }));

/** Waits for what must come true. */
async function until(condition: () => boolean, what: string): Promise<void> {
  for (let i = 0; !condition(); i++) {
    assert(i < 2000, what);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

Deno.test("messages are a quarter of a second apart, however often something is published", () =>
  withLive(async (live) => {
    await using page = await Page.open(live);
    await page.next();
    const start = performance.now();
    let step = 0;
    const timer = setInterval(() => live.publish("state", stateAt(++step)), 1);
    let messages = 0;
    for (; messages < 4; messages++) await page.next();
    clearInterval(timer);
    const seconds = (performance.now() - start) / 1000;
    assert(messages <= 4 * seconds + 1.1, `${messages} in ${seconds} s`);
    assert(step > messages);
  }));

Deno.test({
  name: "without a page nothing is turned into text, and no timer runs",
  sanitizeOps: true, // A timer that still runs fails the test.
  async fn() {
    const events = new EventStream();
    let made = 0;
    const line = { toJSON: () => ++made };
    const publish = () => {
      events.publish("metrics", [line]);
      events.publish("evaluation", line);
    };
    publish();
    const reader = events.connect(() => Promise.resolve(SNAPSHOT)).body!.getReader();
    await reader.read(); // The time until the next try.
    await reader.read(); // The snapshot.
    assertEquals(made, 0);
    publish();
    await reader.read();
    assertEquals(made, 2);
    publish(); // A page that leaves before the message is sent.
    await reader.cancel();
    publish();
    assertEquals([events.clients, made], [0, 2]);
  },
});

Deno.test("a page that does not read is cut off, and the others are not", async () => {
  const events = new EventStream();
  const connect = () => events.connect(() => Promise.resolve(SNAPSHOT)).body!;
  const slow = connect().getReader(), text = "x".repeat(600_000);
  let length = 0;
  const reading = (async () => {
    for await (const part of connect()) length += part.length;
  })();
  assertEquals(events.clients, 2);
  events.publish("evaluation", { text });
  await until(() => length > 600_000, "the first message");
  assertEquals(events.clients, 2);
  events.publish("evaluation", { text });
  await until(() => length > 1_200_000, "the second message");
  assertEquals(events.clients, 1);
  assertEquals(await slow.read().catch(({ message }) => message), "the page reads too slowly");
  events.close();
  await reading;
});

Deno.test("a page that reads slowly may take its time for a large snapshot", async () => {
  const events = new EventStream();
  const reader = events.connect(() => Promise.resolve({ text: "x".repeat(4 << 20) })).body!.getReader();
  await reader.read();
  events.publish("state", stateAt(1));
  const first = await reader.read(), second = await reader.read();
  assert(first.value!.length > 4 << 20);
  assert(new TextDecoder().decode(second.value).startsWith("event: state\n"));
  events.close();
});

Deno.test("a page whose snapshot does not come is cut off when too much waits for it", async () => {
  const events = new EventStream(), text = "x".repeat(2 << 20);
  const reader = events.connect(() => new Promise(() => {})).body!.getReader();
  events.publish("evaluation", { text });
  await until(() => events.clients === 0, "it is cut off");
  assertEquals(await reader.read().catch(({ message }) => message), "the page reads too slowly");
});

Deno.test("pages come and go, sixteen at a time", async () => {
  const events = new EventStream();
  const server = startServer({ port: 0 }, () => events.connect(() => Promise.resolve(SNAPSHOT)));
  const pages = [];
  for (let i = 0; i < 16; i++) pages.push(await fetch(server.url));
  const refused = await fetch(server.url);
  assertEquals([refused.status, refused.headers.get("retry-after")], [503, "5"]);
  await refused.text();
  for (const { body } of pages) await body!.cancel();
  await until(() => events.clients === 0, "pages that are closed are forgotten");
  const again = await fetch(server.url);
  assertEquals(again.status, 200);
  events.close();
  await again.text();
  await server.close();
});
