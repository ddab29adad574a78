/**
 * `wgrad doctor`: shows what this machine has, checks that kernels compute correct results on it, and says what to do about
 * problems. It does not use the network.
 *
 * @module
 */
import { GpuError, NoAdapterError } from "../errors.ts";
import type { Backend } from "../backend/backend.ts";
import { requestBackend } from "../backend/request.ts";
import { loadChoices } from "../tune/choices.ts";
import { selfTest, type Tested } from "../measure/self_test.ts";
import { SETTINGS } from "../config/settings.ts";
import { VERSION } from "../version.ts";
import { type Finding, inspectCache, inspectRuns } from "./doctor_files.ts";
import { describeAdapter, measureCeilings } from "./doctor_gpu.ts";
import { readSystem, type System } from "./doctor_system.ts";
import { defineCommand } from "./flags.ts";
import { Output } from "./output.ts";

type Device = Extract<typeof SETTINGS[number], { name: "adapter" | "backend" }>;
type Say = (line: string) => void;

/** `wgrad doctor`. */
export const command = defineCommand({
  name: "doctor",
  summary: "Show the adapter, its limits, and what is missing",
  description:
    "Shows versions, the adapter with its driver, limits and features, and the data in the cache. Runs every family of " +
    "kernels and a training step, and compares the results with those of the CPU. Measures the best speed of the adapter. " +
    "Says what is missing, and which command repairs it. Takes a few seconds, and does not use the network. Exit code 1 " +
    "means that training cannot work here.",
  flags: [
    ...SETTINGS.filter(({ name }) => name === "adapter" || name === "backend") as unknown as Device[],
    {
      name: "json",
      kind: "boolean",
      help: "End stdout with one JSON object, for a bug report; all else goes to stderr",
      group: "Output",
    },
  ],
  examples: [
    ["wgrad doctor", "Check whether training can work here"],
    ["wgrad doctor --json > report.json", "Make a report to attach to a bug report"],
    ["wgrad doctor --backend gl", "Check another graphics interface"],
  ],
  async run({ values: { adapter, backend, json } }): Promise<number> {
    const { result: say, json: end } = new Output({ json }), findings: Finding[] = [], system = await readSystem();
    const { os, arch } = Deno.build, { deno, v8 } = Deno.version;
    say(`versions: wgrad ${VERSION}, Deno ${deno}, V8 ${v8}, on ${os} ${arch}`);
    say(`system: ${system.name}, ${navigator.hardwareConcurrency} processors`);
    const environment = readEnvironment(say);
    const gpu = await requestBackend({ ...(adapter ? { adapter } : {}), ...(backend ? { backend } : {}) }).catch(
      (error) => {
        if (!(error instanceof GpuError)) throw error;
        findings.push(missingAdapter(error, system));
        return null;
      },
    );
    const inspected = gpu
      ? await inspectGpu(gpu, backend ?? environment.DENO_WEBGPU_BACKEND, system, say, findings)
      : { adapter: null, selfTest: [], ceilings: [], tunedKernels: 0 };
    if (!gpu) say("adapter: none");
    const cache = await inspectCache(say, findings), runs = await inspectRuns(say, findings);
    for (const { what, remedy, fatal } of findings) {
      say(`${fatal ? "PROBLEM" : "note"}: ${what}`);
      say(`  what to do: ${remedy}`);
    }
    const ok = !findings.some(({ fatal }) => fatal);
    say(ok ? "training can work here" : "training cannot work here");
    const versions = { wgrad: VERSION, deno, v8, os, arch, system: system.name };
    end({ ok, versions, environment, ...inspected, cache, runs, findings });
    return ok ? 0 : 1;
  },
});

/** The environment variables that affect the GPU; null if one is not set. */
function readEnvironment(
  say: Say,
): Record<"DENO_WEBGPU_BACKEND" | "LP_NUM_THREADS" | "XDG_RUNTIME_DIR", string | null> {
  const environment = {
    DENO_WEBGPU_BACKEND: Deno.env.get("DENO_WEBGPU_BACKEND") || null,
    LP_NUM_THREADS: Deno.env.get("LP_NUM_THREADS") || null,
    XDG_RUNTIME_DIR: Deno.env.get("XDG_RUNTIME_DIR") || null,
  };
  const set = Object.entries(environment).filter(([, value]) => value !== null);
  // If XDG_RUNTIME_DIR is not set, the program sets it to "/" for itself.
  const shown = set.map(([name, value]) =>
    `${name}=${value}${value === "/" ? " (set by wgrad, because it was not set)" : ""}`
  );
  say(`environment: ${shown.join(", ") || "nothing set"}`);
  return environment;
}

/** The finding for a missing adapter, with the remedy for this system. */
function missingAdapter(error: GpuError, { installDriver, updateDriver }: System): Finding {
  if (error instanceof NoAdapterError) return { what: error.what, remedy: installDriver, fatal: true };
  return { what: error.message, remedy: `${updateDriver}; or try another with --backend or --adapter`, fatal: true };
}

async function inspectGpu(gpu: Backend, backend: string | null, system: System, say: Say, findings: Finding[]) {
  const adapter = await describeAdapter(gpu, backend, say);
  if (gpu.adapter.kind === "software gpu") {
    findings.push({
      what: "the adapter is a SOFTWARE driver: kernels run on the processor, many times slower than on a graphics card",
      remedy:
        `if the machine has a graphics card, ${system.installDriver}; \`wgrad doctor --adapter NAME\` tries another adapter`,
      fatal: false,
    });
  }
  const results: Tested[] = await selfTest(gpu), wrong = results.filter(({ ok }) => !ok);
  say(`self test: ${results.length - wrong.length} of ${results.length} results agree with the CPU`);
  for (const { name, error } of wrong) {
    const cure = `${system.updateDriver}; or try another with --backend or --adapter`;
    findings.push({ what: `self test: ${error ?? name}`, remedy: cure, fatal: true });
  }
  const ceilings = await measureCeilings(gpu, say);
  const tunedKernels = await loadChoices(gpu, (warning) => {
    findings.push({ what: warning, remedy: "run `wgrad bench --tune` to tune the kernels again", fatal: false });
  });
  say(`tuned kernels: ${tunedKernels === 0 ? "none yet (`wgrad bench --tune` finds the fastest)" : tunedKernels}`);
  return { adapter, selfTest: results, ceilings, tunedKernels };
}
