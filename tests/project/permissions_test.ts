import { assert, assertEquals } from "@std/assert";
import config from "../../deno.json" with { type: "json" };
import { filesOf, read } from "./support.ts";

/** The permission flags in a task's command line. */
function permissions(command: string): string[] {
  return command.split(" ").filter((word) => /^--(allow-|no-prompt)/.test(word)).sort();
}

const run = permissions(config.tasks.wgrad.command);

Deno.test("the packed program has the permissions of the wgrad task", () => {
  assert(run.includes("--no-prompt"));
  assertEquals(permissions(config.tasks.pack.command), run);
});

Deno.test("the program reads and sets the environment variables that its permissions name, and no others", () => {
  const allowed = run.find((word) => word.startsWith("--allow-env="))?.slice("--allow-env=".length).split(",") ?? [];
  const used = new Set<string>();
  for (const path of filesOf("src", "main.ts")) {
    // Direct, as in Deno.env.get("X"), or through a parameter that stands for it, as in env("X").
    for (const [, name] of read(path).matchAll(/\benv(?:\.\w+)?\(\s*"(\w+)"/g)) used.add(name ?? "");
  }
  assertEquals([...used].sort(), [...allowed].sort());
});
