/**
 * Running `wgrad train` and `wgrad eval` over a small data set, as a user would.
 *
 * @module
 */
import { join } from "node:path";
import { openSynthetic } from "../../src/data/synthetic.ts";
import { bytesOf, writeFiles } from "../data/fixtures.ts";
import { ROOT } from "../project/support.ts";

/** The permissions of the `wgrad` task, so that a test also shows that they are enough. */
export const COMMAND: readonly string[] = [
  "run",
  "--quiet",
  "--no-check",
  ...(await Deno.readTextFile(join(ROOT, "deno.json"))).match(/"deno run[^"]* main\.ts"/)![0].match(
    /--(allow-[^ ]*|no-prompt)/g,
  )!,
  join(ROOT, "main.ts"),
];

/** What a run printed, in lines, and how it ended. */
export interface Run {
  readonly code: number;
  readonly out: string[];
  readonly err: string[];
}

/** Runs a command of wgrad in `folder`. `started` is called with the process and its output so far, at each new line; `spawned` once. */
export async function wgrad(
  folder: string,
  args: readonly string[],
  started?: (child: Deno.ChildProcess, lines: readonly string[]) => void,
  spawned?: (child: Deno.ChildProcess) => unknown,
): Promise<Run> {
  const child = new Deno.Command(Deno.execPath(), {
    args: [...COMMAND, ...args],
    cwd: folder,
    env: { NO_COLOR: "1", RUST_BACKTRACE: "0", WGRAD_DATA: join(folder, "cache"), XDG_RUNTIME_DIR: "" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  spawned?.(child);
  const read = async (stream: ReadableStream<Uint8Array>, seen?: (lines: readonly string[]) => void) => {
    let text = "";
    for await (const part of stream.pipeThrough(new TextDecoderStream())) {
      text += part;
      seen?.(text.split("\n").slice(0, -1));
    }
    return text.split("\n").filter((line) => line !== "");
  };
  const [out, err, { code }] = await Promise.all([
    read(child.stdout, started && ((lines) => started(child, lines))),
    read(child.stderr),
    child.status,
  ]);
  return { code, out, err };
}

/**
 * Writes a folder `data` with training images and 30 test images, and a file `one.bin` with 10.
 *
 * @param trainCount default 42, which leaves a last batch of two images: a process that reaches the end of an epoch
 * compiles the kernels of the step for that batch too, which takes half a second. 44 are whole batches of four.
 */
export async function writeData(folder: string, trainCount = 42): Promise<void> {
  const { train, test } = openSynthetic({ trainCount, testCount: 30 }), tests = await bytesOf(test.records());
  await writeFiles(
    join(folder, "data"),
    new Map([["data_batch_1.bin", await bytesOf(train.records())], ["test_batch.bin", tests]]),
  );
  await Deno.writeFile(join(folder, "one.bin"), tests.subarray(0, 10 * 3073));
}

/** The objects in a run's `metrics.jsonl`. */
export function metricsOf(run: string): Record<string, number>[] {
  const text = Deno.readTextFileSync(join(run, "metrics.jsonl"));
  if (text !== "" && !text.endsWith("\n")) throw new Error("metrics.jsonl ends inside a line");
  return text.split("\n").slice(0, -1).map((line) => JSON.parse(line));
}

/** The names in a folder, sorted. */
export function namesIn(folder: string): string[] {
  return [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
}

/** The names in a run's folder, sorted; TensorBoard's file, whose name has the time in it, as "events". */
export function filesOf(run: string): string[] {
  return namesIn(run).map((name) => name.startsWith("events.out.tfevents.") ? "events" : name);
}
