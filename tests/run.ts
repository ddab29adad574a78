/**
 * Runs the tests: all of them, or those in the files and folders that are named. Options, such as `--filter`, go to
 * `deno test`. The files are grouped into processes, some of which run at the same time. The last line is
 * `N passed, N failed`. A run without any test is a failure, and so is a crash.
 *
 * @module
 */
import { type FileTimes, type Group, groupFiles, listTests } from "./project/groups.ts";
import { parseSummary } from "./project/summary.ts";
import TIMES from "./times.json" with { type: "json" };

/**
 * The processes that run at the same time. One more than the two cores of CI, because a test that reads from the GPU
 * sleeps at least 10 ms for each read.
 */
const PROCESSES = 3;
/** Longer than a healthy run on a busy machine, so that only tests that hang are ended. */
const LIMIT_MINUTES = Number(Deno.env.get("WGRAD_TEST_MINUTES") || 20);
/** The longest time to wait for the programs that CI installs meanwhile. `.ci/tools` takes about 100 s. */
const WAIT_MINUTES = 4;

const started = performance.now();
const running = new Set<Deno.ChildProcess>();
const total = { passed: 0, failed: 0, skipped: 0 }, failedFiles: string[] = [];
/** The seconds that each file took. */
const times: Record<string, number> = {};
let timedOut = false;

function exists(path: string): boolean {
  try {
    return !path.startsWith("-") && Deno.statSync(path) !== null;
  } catch {
    return false;
  }
}

/** Whether the programs that CI installs are there: the file exists that `.ci/tools` makes at its end. */
function toolsReady(): boolean {
  const ready = Deno.env.get("WGRAD_TOOLS_READY");
  return !ready || exists(ready) || performance.now() - started > WAIT_MINUTES * 60_000;
}

/** Writes all bytes at once, so that the outputs of two processes do not mix. */
function write(bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length;) done += Deno.stdout.writeSync(bytes.subarray(done));
}

/** Notes the time from one file's headline to the next, which takes in the loading of the next file. */
class Stopwatch {
  #text = "";
  #file = "";
  #since = performance.now();

  read(text: string): void {
    this.#text += text;
    for (const [, file] of this.#text.matchAll(/running \d+ tests? from \.\/(\S+_test\.ts)/g)) this.#next(file!);
    this.#text = this.#text.slice(this.#text.lastIndexOf("\n") + 1);
  }

  #next(file: string): void {
    const now = performance.now();
    if (this.#file !== "") times[this.#file] = (now - this.#since) / 1000;
    if (file === this.#file) return;
    [this.#file, this.#since] = [file, now];
  }

  end(): void {
    this.#next(this.#file);
  }
}

/**
 * Runs the files of a group. The output is shown as it comes where nothing else runs, otherwise at the end.
 *
 * @param again they ran before, and the process crashed after its last test: Mesa's software driver does so at times
 * when it is unloaded. They run once more; a second crash is a failure.
 */
async function run(files: readonly string[], again = false): Promise<void> {
  // Types are not checked here: the test in project/tools_test.ts checks those of every file at once.
  const child = new Deno.Command(Deno.execPath(), {
    args: ["test", "--quiet", "--no-check", "--allow-all", ...options, ...files],
    // As main.ts does: without it, GPU drivers complain between the tests' lines.
    env: { XDG_RUNTIME_DIR: Deno.env.get("XDG_RUNTIME_DIR") || "/" },
    stdout: "piped",
    stderr: alone ? "inherit" : "piped",
  }).spawn();
  running.add(child);
  const errors = alone ? null : new Response(child.stderr).bytes();
  const parts: Uint8Array<ArrayBuffer>[] = [], decoder = new TextDecoder(), stopwatch = new Stopwatch();
  for await (const part of child.stdout) {
    parts.push(part);
    stopwatch.read(decoder.decode(part, { stream: true }));
    if (alone) write(part);
  }
  stopwatch.end();
  const { success, signal } = await child.status;
  running.delete(child);
  const output = await new Blob(parts).bytes();
  if (!alone) write(output);
  if (errors) write(await errors);
  const text = new TextDecoder().decode(output), summary = parseSummary(text);
  // The next line starts at the left, also after a crash in the middle of a line.
  if (text !== "" && !text.endsWith("\n")) console.log();
  if (signal !== null && summary.passed > 0 && summary.failed === 0 && !again && !timedOut) {
    console.error(`note: ${signal} after the last test of ${files.join(" ")}: running them once more`);
    return await run(files, true);
  }
  total.passed += summary.passed;
  total.skipped += summary.skipped;
  total.failed += success ? summary.failed : Math.max(1, summary.failed);
  if (success) return;
  failedFiles.push(...files);
  if (summary.failed === 0 && !timedOut) console.error("error: deno test failed outside of any test");
}

/** Takes one group after the other, the longest first; those that need tools only when these are installed. */
async function work(): Promise<void> {
  while (!timedOut && groups.length > 0) {
    const next = toolsReady() ? 0 : groups.findIndex(({ needsTools }) => !needsTools);
    if (next < 0) await new Promise((done) => setTimeout(done, 200));
    else await run(groups.splice(next, 1)[0]!.files);
  }
}

const options = Deno.args.filter((arg) => !exists(arg)), paths = Deno.args.filter(exists);
const files = (paths.length > 0 ? paths : ["tests"]).flatMap(listTests);
const groups: Group[] = groupFiles(files, TIMES), alone = groups.length === 1;

const timer = setTimeout(() => {
  timedOut = true;
  for (const child of running) child.kill("SIGKILL");
}, LIMIT_MINUTES * 60_000);
await Promise.all(Array.from({ length: PROCESSES }, work));
clearTimeout(timer);

const profile = Deno.env.get("WGRAD_TEST_TIMES");
if (profile) {
  const rows = Object.entries(times).sort(([a], [b]) => a < b ? -1 : 1);
  const rounded: FileTimes = Object.fromEntries(rows.map(([file, seconds]) => [file, Math.ceil(seconds)]));
  await Deno.writeTextFile(profile, `${JSON.stringify(rounded, null, 2)}\n`);
}
if (timedOut) console.error(`error: the tests did not end within ${LIMIT_MINUTES} minutes`);
if (total.passed + total.failed === 0) {
  console.error("error: no test ran");
  total.failed = 1;
}
if (failedFiles.length > 0) console.error(`failures, shown above, in: ${failedFiles.join(" ")}`);
console.error(`${((performance.now() - started) / 1000).toFixed(1)} s`);
console.log(
  `${total.passed} passed, ${total.failed} failed${total.skipped > 0 ? `, ${total.skipped} skipped` : ""}`,
);
Deno.exit(total.failed > 0 ? 1 : 0);
