import { assertEquals } from "@std/assert";
import { environment } from "../../src/train/environment.ts";
import { VERSION } from "../../src/version.ts";

const PARTS = {
  adapter: { name: "llvmpipe", vendor: "", architecture: "", cpu: true },
  data: { name: "synthetic", images: 10, sha256: "ab" },
  seed: 3,
  command: ["wgrad", "train"],
  started: new Date(Date.UTC(2026, 0, 2, 3, 4, 5, 678)),
};

Deno.test("environment() says what a run ran on and with", () => {
  assertEquals(environment(PARTS), {
    wgrad: VERSION,
    command: "wgrad train",
    started: "2026-01-02T03:04:05.678Z",
    seed: 3,
    data: PARTS.data,
    adapter: PARTS.adapter,
    os: Deno.build.os,
    arch: Deno.build.arch,
    deno: Deno.version.deno,
    v8: Deno.version.v8,
  });
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
    const { command } = environment({ ...PARTS, command: ["printf", "%s\\0", ...words] });
    const { stdout } = await new Deno.Command("sh", { args: ["-c", command] }).output();
    assertEquals(new TextDecoder().decode(stdout).split("\0").slice(0, -1), words);
    assertEquals(
      environment({ ...PARTS, command: ["wgrad", "--opt", "betas=0.9,0.99"] }).command,
      "wgrad --opt betas=0.9,0.99",
    );
  },
});
