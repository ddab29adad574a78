import { assert, assertEquals } from "@std/assert";
import { join } from "node:path";
import config from "../../deno.json" with { type: "json" };
import { CIFAR10_FILES, CIFAR10_FOLDER } from "../../src/data/cifar.ts";
import { execute } from "../project/support.ts";

interface Report {
  ok: boolean;
  versions: Record<string, string>;
  adapter: { name: string; limits: Record<string, number> } | null;
  selfTest: { name: string; ok: boolean }[];
  cache: { folder: string; state: string; faults: string[] };
  findings: { what: string; remedy: string; fatal: boolean }[];
}

/** Runs `wgrad doctor --json` with the permissions to read, and to look at its variables: no network. */
async function doctor(
  env: Record<string, string>,
  ...args: string[]
): Promise<{ code: number; report: Report; stderr: string }> {
  const flags = ["run", "--quiet", "--no-check", "--no-prompt", "--allow-read", "--allow-env"];
  const { code, stdout, stderr } = await execute(Deno.execPath(), [...flags, "main.ts", "doctor", "--json", ...args], {
    env,
  });
  assertEquals(stdout.trimEnd().split("\n").length, 1, stdout + stderr);
  return { code, report: JSON.parse(stdout), stderr };
}

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
    assert(report.selfTest.length >= 8 && report.selfTest.every(({ ok }) => ok));
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
    const { code, report } = await doctor({ WGRAD_DATA: folder });
    assertEquals([code, report.cache.state], [0, "damaged"]);
    assert(report.findings.some(({ what }) => what.includes(`${path}: 3 bytes instead of ${bytes}`)));
  });
});

Deno.test("wgrad doctor without an adapter exits 1 and says what to do", async () => {
  await withFolder(async (folder) => {
    // No Vulkan driver is found where the loader is told to look.
    const none = join(folder, "none.json");
    const env = { WGRAD_DATA: folder, VK_ICD_FILENAMES: none, VK_DRIVER_FILES: none };
    const { code, report } = await doctor(env, "--backend", "vulkan");
    assertEquals([code, report.ok, report.adapter, report.selfTest], [1, false, null, []]);
    const fatal = report.findings.filter((finding) => finding.fatal);
    assertEquals(fatal.map(({ what }) => what), ["no GPU adapter was found for the backend vulkan"]);
    assert(fatal[0]!.remedy !== "" && (Deno.build.os !== "linux" || fatal[0]!.remedy.includes("mesa-vulkan-drivers")));
  });
});
