import { assert, assertEquals, assertRejects } from "@std/assert";
import { join } from "node:path";
import config from "../../deno.json" with { type: "json" };
import { CIFAR10_FILES, CIFAR10_FOLDER } from "../../src/data/cifar.ts";
import { GpuError } from "../../src/errors.ts";
import { requestBackend } from "../../src/backend/request.ts";
import type { WebGpuBackend } from "../../src/backend/webgpu/backend.ts";
import { systemOf } from "../../src/cli/doctor_system.ts";
import { tensor } from "../../src/mod.ts";
import { OPTIMIZERS } from "../../src/optim/registry.ts";
import { compare, selfTest } from "../../src/measure/self_test.ts";
import { execute, filesOf, read } from "../project/support.ts";
import { COMMAND } from "./support.ts";

interface Report {
  ok: boolean;
  versions: Record<string, string>;
  adapter: { name: string; limits: Record<string, number>; features: string[]; drivers: string[] } | null;
  selfTest: { name: string; ok: boolean }[];
  ceilings: { name: string; rate: number; unit: string }[];
  cache: { folder: string; state: string; faults: string[]; writable: boolean };
  runs: { folder: string; writable: boolean; freeBytes: number | null };
  findings: { what: string; remedy: string; fatal: boolean }[];
}

/** Runs `wgrad doctor --json` with the permissions of the `wgrad` task, in `cwd`. */
async function doctor(
  env: Record<string, string>,
  args: readonly string[] = [],
  options: { cwd?: string; command?: readonly string[] } = {},
): Promise<{ code: number; report: Report; stderr: string }> {
  const { command = COMMAND, ...where } = options;
  const { code, stdout, stderr } = await execute(Deno.execPath(), [...command, "doctor", "--json", ...args], {
    env,
    ...where,
  });
  assertEquals(stdout.trimEnd().split("\n").length, 1, stdout + stderr);
  return { code, report: JSON.parse(stdout), stderr };
}

/** No Vulkan driver is found where the loader is told to look. */
const NO_DRIVER = { VK_ICD_FILENAMES: "none.json", VK_DRIVER_FILES: "none.json" };

async function withFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await use(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("wgrad doctor tells the versions, the adapter, the self test and that the data are missing", async () => {
  await withFolder(async (folder) => {
    const { code, report, stderr } = await doctor({ WGRAD_DATA: folder });
    assertEquals([code, report.ok], [0, true], stderr);
    assertEquals([report.versions.wgrad, report.versions.deno], [config.version, Deno.version.deno]);
    const adapter = report.adapter!;
    assert(adapter.name !== "");
    assert(adapter.limits.maxStorageBufferBindingSize! >= 128 * 1024 * 1024);
    assert(adapter.features.length > 0);
    assert(report.selfTest.length >= 50 && report.selfTest.every(({ ok }) => ok));
    const tested = report.selfTest.map(({ name }) => name);
    assertEquals(Object.keys(OPTIMIZERS).filter((name) => !tested.includes(`optimizer ${name}`)), []);
    assertEquals(report.ceilings.map(({ unit }) => unit), ["GFLOP/s", "GB/s", "dispatches/s"]);
    assert(report.ceilings.every(({ rate }) => rate > 0));
    assertEquals([report.runs.writable, report.cache.writable], [true, true]);
    assert(report.runs.freeBytes! > 0);
    assertEquals([...Deno.readDirSync(folder)], []); // What it writes to try, it takes away.
    assertEquals([report.cache.folder, report.cache.state, report.cache.faults.length], [folder, "missing", 6]);
    const about = report.findings.find(({ what }) => what.includes("CIFAR-10"))!;
    assert(about.remedy.includes("`wgrad data fetch`") && !about.fatal);
    // For a person, the same.
    for (const text of [adapter.name, folder, "self test: ", about.remedy, "training can work here"]) {
      assert(stderr.includes(text), text);
    }
  });
});

Deno.test("wgrad doctor tells incomplete data from damaged ones", async () => {
  await withFolder(async (folder) => {
    const { name, bytes } = CIFAR10_FILES[0]!, path = join(folder, CIFAR10_FOLDER, name);
    await Deno.mkdir(join(folder, CIFAR10_FOLDER));
    await Deno.writeFile(path, new Uint8Array(3));
    const { report } = await doctor({ WGRAD_DATA: folder, ...NO_DRIVER }, ["--backend", "vulkan"]);
    assertEquals(report.cache.state, "damaged");
    assert(report.findings.some(({ what }) => what.includes(`${path}: 3 bytes instead of ${bytes}`)));
  });
});

Deno.test("wgrad doctor without an adapter exits 1 and says what to do", async () => {
  await withFolder(async (folder) => {
    const { code, report } = await doctor({ WGRAD_DATA: folder, ...NO_DRIVER }, ["--backend", "vulkan"]);
    assertEquals([code, report.ok, report.adapter, report.selfTest], [1, false, null, []]);
    const fatal = report.findings.filter((finding) => finding.fatal);
    assertEquals(fatal.map(({ what }) => what), ["no GPU adapter was found for the backend vulkan"]);
    assert(fatal[0]!.remedy !== "" && (Deno.build.os !== "linux" || fatal[0]!.remedy.includes("mesa-vulkan-drivers")));
  });
});

Deno.test("wgrad doctor says where runs and data cannot be written", async () => {
  await withFolder(async (folder) => {
    // Root may write everywhere: it is the permission that is taken away.
    const command = COMMAND.map((word) => word === "--allow-write" ? "--deny-write" : word);
    const { report } = await doctor({ WGRAD_DATA: folder, ...NO_DRIVER }, ["--backend", "vulkan"], {
      cwd: folder,
      command,
    });
    assertEquals([report.runs.writable, report.cache.writable], [false, false]);
    assertEquals(report.runs.folder, join(await Deno.realPath(folder), "runs"));
    const about = report.findings.filter(({ what }) => what.includes("cannot be written"));
    assertEquals(about.map(({ remedy }) => remedy), [
      "set WGRAD_DATA to another folder",
      "use `wgrad train --out DIR` with another folder",
    ]);
  });
});

Deno.test("systemOf() has the commands of each system", () => {
  const of = (os: typeof Deno.build.os, release?: string) => Object.values(systemOf(os, release)).join("\n");
  const cases: [string, string][] = [
    ['PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nID=debian\n', "`apt-get install mesa-vulkan-drivers`"],
    ['ID=linuxmint\nID_LIKE="ubuntu debian"\n', "`apt-get install mesa-vulkan-drivers`"],
    ["NAME=Fedora\nID=fedora\n", "`dnf install mesa-vulkan-drivers`"],
    ['ID="rocky"\nID_LIKE="rhel centos fedora"\n', "`dnf install mesa-vulkan-drivers`"],
    ["ID=arch\n", "`pacman -S vulkan-icd-loader"],
    ['ID="opensuse-tumbleweed"\nID_LIKE="opensuse suse"\n', "`zypper install "],
    ["ID=alpine\n", "`apk add "],
    ["ID=slackware\n", "install a Vulkan driver: Mesa's"],
  ];
  for (const [release, command] of cases) assert(of("linux", release).includes(command), release);
  assert(of("linux", cases[0]![0]).startsWith("Debian GNU/Linux 12 (bookworm)\n"));
  assert(of("linux").startsWith("Linux\n"));
  assert(of("darwin").includes("`softwareupdate "));
  assert(of("windows").includes("DirectX 12"));
  assert(of("freebsd").startsWith("freebsd\n"));
});

Deno.test("the self test tells an element that is wrong, missing or too many", async () => {
  const x = () => tensor([1, 2, 4]);
  await compare("fine", [[x(), [1, 2, 4]]]);
  for (const [elements, why] of [[[1, 2.001, 4], "element 1 is 2, not 2.001"], [[1, 2], "3 elements"]] as const) {
    await assertRejects(() => compare("name", [[x(), elements]]), GpuError, `name: ${why}: do not trust`);
  }
});

Deno.test("the self test runs every kernel but those that measure, and goes on after one that does not compile", async () => {
  const gpu = await requestBackend(), { device } = gpu as WebGpuBackend, seen = new Set<string>();
  const make = device.createShaderModule.bind(device);
  device.createShaderModule = (about) => {
    for (const [file] of about.label!.matchAll(/[\w/]+\.wgsl/g)) seen.add(file);
    return make(
      about.label === "shape/upsample_nearest2d.wgsl"
        ? { ...about, code: about.code.replace("fn main", "fn other") }
        : about,
    );
  };
  try {
    const wrong = (await selfTest(gpu)).filter(({ ok }) => !ok);
    assertEquals(wrong.map(({ name }) => name), ["upsampling"]);
    assert(wrong[0]!.error!.includes("shape/upsample_nearest2d.wgsl"), wrong[0]!.error);
  } finally {
    device.createShaderModule = make;
  }
  // A part is run by the kernels that include it. The set grows while it is walked.
  for (const file of seen) {
    for (const [, part] of read(`shaders/${file}`).matchAll(/@include "([^"]+)"/g)) seen.add(part!);
  }
  const kernels = filesOf("shaders").filter((path) => path.endsWith(".wgsl")).map((path) =>
    path.replace("shaders/", "")
  );
  assertEquals(kernels.filter((file) => !seen.has(file) && !file.startsWith("bench/")), []);
});
