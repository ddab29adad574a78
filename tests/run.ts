/**
 * Runs the tests: all of them, or those in the files and folders that are named; options go to `deno test`. The files
 * are dealt out to processes, two of which run at once, since most of a test's time is spent waiting for one core.
 * Ends with the line `N passed, N failed` alone. No test at all is a failure, and so is a crash.
 *
 * @module
 */
import { parseSummary, type Summary } from "./project/summary.ts";

/** Longer than any healthy run, and short enough that a run that hangs still reports. */
const LIMIT_MINUTES = 14;
/** So many files share a process. */
const FILES = 5;
/** Begun first, each in a process of its own, so that none of them is left alone at the end. */
const LONG = ["tests/cli/kill_test.ts", "tests/ops/variants_test.ts", "tests/train/update_test.ts"];
/** Tests that use programs from outside where there are any. Where CI installs those meanwhile, these wait so long. */
const WAIT_MINUTES = 4;
const LATE = /^tests\/(cli|data|files|image|io|measure|nn|onnx|report|run|train|tune)\//;

/** The files of tests under a path. */
function filesOf(path: string): string[] {
  if (Deno.statSync(path).isFile) return [path];
  const names = [...Deno.readDirSync(path)].map(({ name, isDirectory }) => ({ name, isDirectory }));
  return names.sort((a, b) => a.name < b.name ? -1 : 1).flatMap(({ name, isDirectory }) => {
    const found = `${path.replace(/\/$/, "")}/${name}`;
    return isDirectory ? filesOf(found) : name.endsWith("_test.ts") ? [found] : [];
  });
}

/** What each process is to run, in this order. */
function jobsOf(files: readonly string[]): string[][] {
  const jobs = LONG.filter((file) => files.includes(file)).map((file) => [file]);
  const rest = files.filter((file) => !LONG.includes(file));
  for (const part of [rest.filter((file) => !LATE.test(file)), rest.filter((file) => LATE.test(file))]) {
    for (let i = 0; i < part.length; i += FILES) jobs.push(part.slice(i, i + FILES));
  }
  return jobs;
}

const started = performance.now(), children = new Set<Deno.ChildProcess>();
const options = Deno.args.filter((arg) => !exists(arg)), paths = Deno.args.filter(exists);
const jobs = jobsOf((paths.length > 0 ? paths : ["tests"]).flatMap(filesOf)), alone = jobs.length === 1;
const total = { passed: 0, failed: 0, skipped: 0 }, bad: string[] = [];
let late = false;

function exists(path: string): boolean {
  try {
    return !path.startsWith("-") && Deno.statSync(path) !== null;
  } catch {
    return false;
  }
}

/** Waits until the file exists that the environment names, if it names one. */
async function tools(): Promise<void> {
  const ready = Deno.env.get("WGRAD_TOOLS_READY"), minutes = () => (performance.now() - started) / 60_000;
  while (ready && !exists(ready) && minutes() < WAIT_MINUTES) await new Promise((done) => setTimeout(done, 500));
}

/** All of it at once, so that the outputs of two processes do not mix. */
function write(bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length;) done += Deno.stdout.writeSync(bytes.subarray(done));
}

/**
 * Runs some files. The output is shown as it comes where nothing else runs, otherwise at the end.
 *
 * @param again they ran before, and the process crashed behind its last test: Mesa's software driver does so at times when it
 * is unloaded. They run once more; a second crash is a failure.
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
  children.add(child);
  const errors = alone ? null : new Response(child.stderr).bytes(), parts: Uint8Array[] = [];
  for await (const part of child.stdout) {
    parts.push(part);
    if (alone) write(part);
  }
  const { success, signal } = await child.status;
  children.delete(child);
  const output = new Uint8Array(await new Blob(parts as Uint8Array<ArrayBuffer>[]).arrayBuffer());
  if (!alone) write(output);
  if (errors) write(await errors);
  const text = new TextDecoder().decode(output), summary: Summary = parseSummary(text);
  // The next line begins anew, also after a crash in the middle of one.
  if (text !== "" && !text.endsWith("\n")) console.log();
  if (signal !== null && summary.passed > 0 && summary.failed === 0 && !again && !late) {
    console.error(`note: ${signal} behind the last test of ${files.join(" ")}: they run once more`);
    return await run(files, true);
  }
  total.passed += summary.passed;
  total.skipped += summary.skipped;
  total.failed += success ? summary.failed : Math.max(1, summary.failed);
  if (success) return;
  bad.push(...files);
  if (summary.failed === 0 && !late) console.error("error: deno test failed outside of any test");
}

async function work(): Promise<void> {
  for (let job; !late && (job = jobs.shift());) {
    if (LATE.test(job[0]!) && !LONG.includes(job[0]!)) await tools();
    await run(job);
  }
}

const timer = setTimeout(() => {
  late = true;
  for (const child of children) child.kill("SIGKILL");
}, LIMIT_MINUTES * 60_000);
await Promise.all([work(), work()]);
clearTimeout(timer);

if (late) console.error(`error: the tests did not end within ${LIMIT_MINUTES} minutes`);
if (total.passed + total.failed === 0) {
  console.error("error: no test ran");
  total.failed = 1;
}
if (bad.length > 0) console.error(`failures, shown above, in: ${bad.join(" ")}`);
console.error(`${((performance.now() - started) / 1000).toFixed(1)} s`);
console.log(
  `${total.passed} passed, ${total.failed} failed${total.skipped > 0 ? `, ${total.skipped} skipped` : ""}`,
);
Deno.exit(total.failed > 0 ? 1 : 0);
