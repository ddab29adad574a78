import { assertEquals } from "@std/assert";
import { join } from "node:path";
import { Output } from "../../src/cli/output.ts";
import { LiveRun } from "../../src/cli/train_live.ts";
import { MetricsLog } from "../../src/run/metrics.ts";
import type { Session } from "../../src/run/session.ts";
import { withFolder } from "../data/fixtures.ts";

/** The first event of a page that opens: the snapshot. */
async function snapshot(url: string) {
  const { body } = await fetch(url.replace("/?", "/events?"));
  let text = "";
  for await (const part of body!.pipeThrough(new TextDecoderStream())) {
    text += part;
    const found = /event: snapshot\ndata: (.*)\n\n/.exec(text);
    if (found) return JSON.parse(found[1]!);
  }
}

Deno.test("a page that opens late gets a run's curves from memory: its files are not read again", () =>
  withFolder(async (path) => {
    const lines: string[] = [], output = new Output({ json: false });
    Object.assign(output, { result: (line: string) => lines.push(line) });
    await Deno.writeTextFile(join(path, "config.json"), '{"model":"lenet"}');
    const metrics = await MetricsLog.open(path, { step: 1, saved: '{"step":1,"loss":3}\n' });
    const trainer = { position: { step: 1, epoch: 1 }, totalSteps: 9, rate: () => 0.1 };
    await using live = await LiveRun.open({ port: 0, host: "127.0.0.1" }, output);
    await live.show({ folder: { path, metrics }, trainer, stopped: false } as unknown as Session);
    const line = { step: 2, epoch: 1, stepInEpoch: 2, loss: 2, lr: 0.1, imagesPerSecond: 1, seconds: 1 };
    metrics.add(line, { step: 2, event: "lr", from: 0.1, to: 0.2 });
    await Deno.remove(metrics.jsonl);
    const { config, series } = await snapshot(lines[0]!.replace("dashboard: ", ""));
    assertEquals([config, series.curves.loss], [{ model: "lenet" }, { x: [1, 2], y: [3, 2] }]);
    assertEquals(series.events, [{ step: 2, event: "lr", from: 0.1, to: 0.2 }]);
  }));
