/**
 * The module graph of the project, as Deno sees it.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { pathToFileURL } from "node:url";
import type { Import } from "./layers.ts";
import { deno, ROOT } from "./support.ts";

/** The modules that an entry file reaches. */
export interface Graph {
  readonly imports: readonly Import[];
  /** Modules from outside the checkout. */
  readonly outside: ReadonlySet<string>;
  /** Modules of the checkout. */
  readonly inside: ReadonlySet<string>;
}

/** The module graph of an entry file, as `deno info` sees it: static and dynamic imports, of values and of types. */
export async function graphOf(entry: string): Promise<Graph> {
  const { code, stdout, stderr } = await deno("info", "--quiet", "--json", entry);
  assertEquals(code, 0, stderr);
  const { modules } = JSON.parse(stdout) as {
    modules: {
      specifier: string;
      error?: string;
      dependencies?: { specifier: string; code?: { specifier?: string }; type?: { specifier?: string } }[];
    }[];
  };
  const base = `${pathToFileURL(ROOT).href}/`;
  const imports: Import[] = [];
  const outside = new Set<string>();
  const inside = new Set<string>();
  for (const { specifier, error, dependencies = [] } of modules) {
    assertEquals(error, undefined);
    if (!specifier.startsWith(base)) continue;
    const from = specifier.slice(base.length);
    inside.add(from);
    for (const { specifier: written, code, type } of dependencies) {
      const target = code?.specifier ?? type?.specifier ?? written;
      if (target.startsWith(base)) imports.push({ from, to: target.slice(base.length) });
      else outside.add(target);
    }
  }
  return { imports, outside, inside };
}
