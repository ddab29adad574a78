import { assertEquals } from "@std/assert";
import { environment } from "../../src/run/environment.ts";
import { vulkanDrivers } from "../../src/backend/makers.ts";
import { VERSION } from "../../src/version.ts";

const PARTS = {
  adapter: { name: "llvmpipe", vendor: "", architecture: "", kind: "software gpu" as const },
  data: { name: "synthetic", images: 10, sha256: "ab" },
  seed: 3,
  command: ["wgrad", "train"],
  started: new Date(Date.UTC(2026, 0, 2, 3, 4, 5, 678)),
};

Deno.test("environment() says what a run ran on and with", async () => {
  const drivers = await vulkanDrivers(), backend = Deno.env.get("DENO_WEBGPU_BACKEND") || null;
  assertEquals(await environment(PARTS), {
    wgrad: VERSION,
    command: "wgrad train",
    started: "2026-01-02T03:04:05.678Z",
    seed: 3,
    data: PARTS.data,
    adapter: {
      name: "llvmpipe",
      vendor: "",
      architecture: "",
      cpu: true,
      backend,
      ...(drivers.length > 0 && { vulkanDrivers: drivers }),
    },
    os: Deno.build.os,
    arch: Deno.build.arch,
    deno: Deno.version.deno,
    v8: Deno.version.v8,
  });
});

Deno.test("environment() has the maker's name, the backend that was asked for, and the drivers that are installed", async () => {
  const of = async (vendor: string) => {
    return (await environment({ ...PARTS, adapter: { ...PARTS.adapter, vendor } })).adapter;
  };
  const vendors = ["65541", "4318", "apple", "77", ""];
  const found = await Promise.all(vendors.map(async (vendor) => (await of(vendor)).vendor));
  assertEquals(found, ["Mesa", "NVIDIA", "apple", "77", ""]);
  const { readDir } = Deno, before = Deno.env.get("DENO_WEBGPU_BACKEND");
  try {
    Deno.readDir = async function* (folder) {
      if (folder !== "/etc/vulkan/icd.d") throw new Deno.errors.NotCapable("not ours");
      for (const name of ["radeon.x86_64.json", "README"]) yield { name } as Deno.DirEntry;
      await Promise.resolve();
    };
    Deno.env.set("DENO_WEBGPU_BACKEND", "vulkan");
    const { backend, vulkanDrivers } = await of("");
    assertEquals([backend, vulkanDrivers], ["vulkan", Deno.build.os === "linux" ? ["radeon.x86_64"] : undefined]);
  } finally {
    Deno.readDir = readDir;
    if (before === undefined) Deno.env.delete("DENO_WEBGPU_BACKEND");
    else Deno.env.set("DENO_WEBGPU_BACKEND", before);
  }
});

Deno.test({
  name: "a shell reads the command's words as they were typed",
  ignore: Deno.build.os === "windows",
  fn: async () => {
    const words = [
      "--lr",
      "a b",
      "it's 'so'",
      "",
      "$HOME",
      "*",
      "~",
      "a\\b",
      "C:\\x y",
      "--opt=b=1,2",
      "=x",
      '"',
      "ü\n`",
      "#",
      ";&|",
    ];
    const { command } = await environment({ ...PARTS, command: ["printf", "%s\\0", ...words] });
    const { stdout } = await new Deno.Command("sh", { args: ["-c", command] }).output();
    assertEquals(new TextDecoder().decode(stdout).split("\0").slice(0, -1), words);
    assertEquals(
      (await environment({ ...PARTS, command: ["wgrad", "--opt", "betas=0.9,0.99"] })).command,
      "wgrad --opt betas=0.9,0.99",
    );
  },
});
