/**
 * The seam of `src/backend/`: above it nothing knows WebGPU, and kernels are chosen by a profile, never by the kind of
 * device. The check reads every source file of the program, and is checked itself on texts that break the rule.
 */
import { assert, assertEquals } from "@std/assert";
import { filesOf, read } from "./support.ts";

/** The rooms that may name WebGPU's types. */
const WEBGPU = "src/backend/webgpu/";
/** The only file outside of that room that imports from it. */
const CHOOSER = "src/backend/request.ts";
/** The files that write `cpu` as a key of JSON that readers know, or as the name of a location in PyTorch's format. */
const CPU_KEYS = ["src/backend/adapter.ts", "src/cli/bench.ts", "src/io/pytorch.ts"];

/** What breaks the rule in a source file, as lines of text. */
function breaches(path: string, source: string): string[] {
  // Comments may speak of anything. Strings are kept: what is read by name is read all the same.
  const code = source.replace(/\/\*[^]*?\*\/|(?<=^|\s)\/\/[^\n]*/g, "");
  const found: string[] = [];
  const name = (pattern: RegExp, why: string) => {
    for (const [text] of code.matchAll(pattern)) found.push(`${path}: ${text}: ${why}`);
  };
  if (!path.startsWith(WEBGPU)) {
    name(/\bGPU[A-Z]\w*/g, "a type of WebGPU");
    name(/\bnavigator\s*(\.|\?\.|\[)\s*["'`]?gpu\b/g, "WebGPU itself");
    if (path !== CHOOSER) name(/(from|import\()\s*"[^"]*\/webgpu\/[^"]*"/g, "an import of the WebGPU backend");
  }
  if (!CPU_KEYS.includes(path)) name(/\bcpu\b/g, "a flag for the processor");
  return found;
}

const sources = ["main.ts", ...filesOf("src").filter((path) => path.endsWith(".ts"))];

Deno.test("no file above src/backend/webgpu/ names a type of WebGPU, and none has a flag for the processor", () => {
  assert(sources.length > 150, `${sources.length} files`);
  assert(sources.some((path) => path.startsWith(WEBGPU)));
  assertEquals(sources.flatMap((path) => breaches(path, read(path))), []);
});

Deno.test("only a profile's choice and messages to people look at the kind of an adapter", () => {
  // `kind: "software gpu"` decides which profile a device gets, and what people are told. Kernels are chosen by the profile.
  const rooms = [
    "src/ops/",
    "src/graph/",
    "src/tensor/",
    "src/nn/",
    "src/optim/",
    "src/train/",
    "src/models/",
    "src/measure/",
  ];
  const found = sources.filter((path) => rooms.some((room) => path.startsWith(room)))
    .filter((path) => /software gpu|adapter\.kind/.test(read(path)));
  assertEquals(found, []);
});

Deno.test("the check tells each kind of breach", () => {
  const texts = [
    ["const b: GPUBuffer = x;", "GPUBuffer"],
    ["await navigator.gpu.requestAdapter()", "navigator.gpu"],
    ["await navigator?.gpu", "navigator?.gpu"],
    ['await navigator["gpu"]', 'navigator["gpu'],
    ['import type { X } from "../backend/webgpu/open.ts";', 'from "../backend/webgpu/open.ts"'],
    ["if (adapter.cpu) return;", "cpu"],
  ] as const;
  for (const [text, what] of texts) {
    assertEquals(breaches("src/graph/plan.ts", text).map((line) => line.split(": ")[1]), [what]);
    assertEquals(breaches("src/graph/plan.ts", `/* ${text} */ // ${text}\n`), []);
  }
  assertEquals(breaches("src/backend/webgpu/replay.ts", "const b: GPUBuffer = await navigator.gpu;"), []);
  assertEquals(breaches("src/cli/x.ts", 'GPU, SOFTWARE_GPU, "the GPU"'), []);
});
