import { assert, assertEquals } from "@std/assert";
import { join } from "node:path";
import { browsePage, comparePage, listedRun, livePage, reportPage } from "../../src/report/page.ts";
import { noSeries } from "../../src/report/page/series.js";
import { writeReport } from "../../src/report/report_file.ts";
import type { RunView } from "../../src/report/run_view.ts";
import { writeRun } from "./fixtures.ts";

/** A run with nothing but a name, in which there may be anything. */
function named(name: string): RunView {
  const config = { optimizer: name, [name]: name };
  return { name, path: name, state: "stopped", config, defaults: {}, environment: {}, series: noSeries(), badLines: 0 };
}

const NASTY = `</script><script>alert(1)</script><!--"'&\u2028`;
const pages: Record<string, string> = {
  report: reportPage(named(NASTY), { home: "../" }),
  compare: comparePage([named(NASTY), named("b")]),
  browse: browsePage(NASTY, [listedRun(named(NASTY)), { name: NASTY, error: NASTY }]),
  live: livePage(),
};

Deno.test("no text of a run can break out of the page", () => {
  for (const [name, page] of Object.entries(pages)) {
    assertEquals(page.match(/<script[ >]/g)?.length, 3, name);
    assertEquals(page.match(/<\/script/g)?.length, 3, name);
    assertEquals(page.match(/<!--/g)?.length, 1, name); // The chart library's licence.
    assert(!page.includes("alert(1)</"), name);
    const data = JSON.parse(/<script type="application\/json" id="data">([^<]*)<\/script>/.exec(page)![1]!);
    assertEquals(data.mode, name);
    if (name !== "live") assert(JSON.stringify(data).includes(JSON.stringify(NASTY)), name);
  }
});

Deno.test("the content security policy allows the page's own scripts and style, and no address but its own", async () => {
  for (const [name, page] of Object.entries(pages)) {
    const policy = /http-equiv="Content-Security-Policy" content="([^"]*)"/.exec(page)![1]!;
    assert(policy.startsWith("default-src 'none'; "), policy);
    const inside = [...page.matchAll(/<(script|script type="module"|style)>([^]*?)<\/(script|style)>/g)];
    assertEquals(inside.length, 3, name);
    const hashes = await Promise.all(inside.map(async ([, , text]) => {
      const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
      return `'sha256-${hash.toBase64()}'`;
    }));
    assertEquals(policy.match(/'sha256-[^']*'/g)?.sort(), hashes.sort(), name);
    assert(!/unsafe|https?:|\*/.test(policy), policy);
    assertEquals(policy.includes("connect-src 'self'"), name === "live" || name === "browse", policy);
    assertEquals(policy.includes("form-action 'self'"), name === "browse", policy);
  }
});

Deno.test("a page holds all that it needs: it has no address to load from, and no module is left outside", () => {
  for (const [name, page] of Object.entries(pages)) {
    const addresses = [...page.matchAll(/\b(?:src|href)="([^"]*)"/g)].map(([, address]) => address!);
    assertEquals(addresses.filter((address) => !address.startsWith("data:")), [], name);
    assert(!/^(import|export) /m.test(page), name);
    assert(page.startsWith("<!DOCTYPE html>") && page.includes('<html lang="en">') && /<title>[^<]+</.test(page), name);
  }
});

Deno.test("a page of runs that are compared leaves out what it does not show", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await writeRun(folder);
    const path = await writeReport(folder);
    assertEquals(path, join(folder, "report.html"));
    const report = await Deno.readTextFile(path), { run } = dataOf(report);
    assertEquals([run.state, run.evaluation.mistakes.length], ["finished", 24]);
    const compared = dataOf(comparePage([run, run])).runs[0];
    assertEquals([compared.evaluation.mistakes, compared.evaluation.perClass, compared.filters], [
      [],
      run.evaluation.perClass,
      undefined,
    ]);
    assertEquals([...Deno.readDirSync(folder)].filter(({ name }) => name.endsWith(".tmp")), []);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

// deno-lint-ignore no-explicit-any
function dataOf(page: string): any {
  return JSON.parse(/id="data">([^<]*)</.exec(page)![1]!);
}
