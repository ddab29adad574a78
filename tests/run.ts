/**
 * Runs the tests: all of them, or those that the arguments of `deno test` choose. Shows the output of `deno test` as it
 * comes, and ends with the line `N passed, N failed` alone. No test at all is a failure, and so is a crash.
 *
 * @module
 */
import { parseSummary } from "./project/summary.ts";

/** Longer than any healthy run, and short enough that a run that hangs still reports. */
const LIMIT_MINUTES = 14;

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}

const started = performance.now();
const paths = Deno.args.some((arg) => !arg.startsWith("-") && exists(arg)) ? [] : ["tests/"];
// Types are not checked here: the test in project/tools_test.ts checks those of every file at once.
const child = new Deno.Command(Deno.execPath(), {
  args: ["test", "--quiet", "--no-check", "--allow-all", ...Deno.args, ...paths],
  // As main.ts does: without it, GPU drivers complain between the tests' lines.
  env: { XDG_RUNTIME_DIR: Deno.env.get("XDG_RUNTIME_DIR") || "/" },
  stdout: "piped",
  stderr: "inherit",
}).spawn();

let late = false;
const timer = setTimeout(() => {
  late = true;
  child.kill("SIGKILL");
}, LIMIT_MINUTES * 60_000);

let tail = "";
const decoder = new TextDecoder();
for await (const bytes of child.stdout) {
  for (let done = 0; done < bytes.length;) done += await Deno.stdout.write(bytes.subarray(done));
  tail = (tail + decoder.decode(bytes, { stream: true })).slice(-4096);
}
const status = await child.status;
clearTimeout(timer);

const summary = parseSummary(tail);
const ran = summary.passed + summary.failed > 0;
if (late) console.error(`error: the tests did not end within ${LIMIT_MINUTES} minutes`);
else if (!status.success && summary.failed === 0) console.error("error: deno test failed outside of any test");
else if (!ran) console.error("error: no test ran");
const failed = status.success && ran ? summary.failed : Math.max(1, summary.failed);
console.error(`${((performance.now() - started) / 1000).toFixed(1)} s`);
const skipped = summary.skipped > 0 ? `, ${summary.skipped} skipped` : "";
// Alone on its line, also after a crash in the middle of another.
if (tail !== "" && !tail.endsWith("\n")) console.log();
console.log(`${summary.passed} passed, ${failed} failed${skipped}`);
Deno.exit(failed > 0 ? 1 : 0);
