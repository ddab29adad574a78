import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { join } from "node:path";
import { DataError } from "../../src/errors.ts";
import { startBrowsing } from "../../src/report/runs_server.ts";
import type { Server } from "../../src/report/server.ts";
import { lockRun } from "../../src/run/lock.ts";
import { withFolder } from "../data/fixtures.ts";
import { writeRun } from "../report/fixtures.ts";
import { exchange } from "../report/raw_http.ts";
import { wgrad } from "./support.ts";

/** Serves a folder with the runs `lenet-2` and `lenet-10`, with things that are none, and with a secret beside it. */
async function withRuns(test: (server: Server, folder: string) => Promise<void>): Promise<void> {
  await withFolder(async (folder) => {
    const runs = join(folder, "runs");
    for (const name of ["lenet-10", "lenet-2"]) await writeRun(join(runs, name), { lines: 20 });
    await writeRun(join(folder, "secret"), { lines: 1 });
    await Deno.writeTextFile(join(runs, "config.json"), "{}");
    await Deno.mkdir(join(runs, "empty"));
    if (Deno.build.os !== "windows") await Deno.symlink(join(folder, "secret"), join(runs, "link"));
    const server = await startBrowsing(runs, { port: 0 });
    try {
      await test(server, runs);
    } finally {
      await server.close();
    }
  });
}

/** Gets a page by its path as it stands, which `fetch` would tidy up. */
async function get({ url, token }: Server, path: string, query = "") {
  const lines = [`GET ${path}?${query}token=${token} HTTP/1.1`, `host: ${new URL(url).host}`];
  const answer = await exchange(url, lines);
  const data = /<script type="application\/json" id="data">(.*)<\/script>/.exec(answer.body)?.[1];
  return { ...answer, data: data === undefined ? undefined : JSON.parse(data) };
}

Deno.test({
  name: "wgrad dashboard prints its address, serves the runs, and ends with exit code 0 at Ctrl-C",
  ignore: Deno.build.os === "windows",
  fn: () =>
    withFolder(async (folder) => {
      await writeRun(join(folder, "runs", "lenet-1"), { lines: 20 });
      let asking: Promise<number[]> | undefined;
      const { code, out, err } = await wgrad(folder, ["dashboard", "--port", "0"], (child, [line]) => {
        const url = line!.replace("The runs in runs: ", "");
        asking ??= (async () => {
          try {
            const addresses = [url, url.replace("/?", "/run/lenet-1?"), url.replace(/\?.*/, "")];
            return await Promise.all(addresses.map(async (one) => {
              const answer = await fetch(one);
              await answer.text();
              return answer.status;
            }));
          } finally {
            child.kill("SIGINT");
          }
        })();
      });
      assertEquals([code, err], [0, []]);
      assertEquals(out.length, 1);
      assertMatch(out[0]!, /^The runs in runs: http:\/\/127\.0\.0\.1:\d+\/\?token=[\w-]{32}$/);
      assertEquals(await asking, [200, 200, 403]);
    }),
});

Deno.test("wgrad dashboard refuses a folder that is not there, a port in use and an unknown host", () =>
  withFolder(async (folder) => {
    await Deno.mkdir(join(folder, "runs"));
    await Deno.writeTextFile(join(folder, "one.txt"), "");
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 }), { port } = listener.addr;
    const cases: [string[], number, string][] = [
      [["one.txt"], 1, "error: one.txt is a file, not a folder of runs"],
      [["nowhere"], 1, "error: cannot read the runs in nowhere: no such file or folder"],
      [
        ["--port", `${port}`],
        2,
        `error: cannot serve on port ${port} of 127.0.0.1: it is in use; choose another port, or let`,
      ],
      [["--host", "10.0.0.1"], 2, "error: flag --host: 10.0.0.1 is not one of 127.0.0.1, ::1, 0.0.0.0, ::"],
      [["--port", "65536"], 2, "error: flag --port: 65536 is not an integer from 0 to 65535"],
    ];
    for (const [args, status, message] of cases) {
      const { code, out, err } = await wgrad(folder, ["dashboard", ...args]);
      assertEquals([code, out, err.length], [status, [], 1]);
      assert(err[0]!.startsWith(message), err[0]);
    }
    listener.close();
  }));

Deno.test("the list has the runs of the folder in the order of their numbers, the broken ones too", () =>
  withRuns(async (server, folder) => {
    await Deno.mkdir(join(folder, "broken"));
    await Deno.writeTextFile(join(folder, "broken", "config.json"), "{");
    const { status, headers, data } = await get(server, "/");
    assertEquals([status, headers.get("content-type")], [200, "text/html; charset=utf-8"]);
    assertEquals(headers.get("content-security-policy"), "frame-ancestors 'none'");
    assertEquals([data.mode, data.folder], ["browse", folder]);
    assertEquals(data.runs.map(({ name }: { name: string }) => name), ["broken", "lenet-2", "lenet-10"]);
    assert(data.runs[0].error.includes("config.json"), data.runs[0].error);
  }));

Deno.test({
  name: "an entry that cannot be looked into is listed with its fault, and hides no other",
  ignore: Deno.build.os === "windows",
  fn: () =>
    withRuns(async (first, folder) => {
      await Deno.mkdir(join(folder, "loop"));
      await Deno.symlink("config.json", join(folder, "loop", "config.json"));
      await Deno.remove(join(folder, "lenet-2", "model.safetensors"));
      await Deno.mkdir(join(folder, "lenet-2", "model.safetensors"));
      const again = await startBrowsing(folder, { port: 0 });
      await again.close();
      const { status, data } = await get(first, "/");
      const names = data.runs.map(({ name }: { name: string }) => name);
      assertEquals([status, names], [200, ["lenet-2", "lenet-10", "loop"]]);
      assert(data.runs[2].error.includes("symbolic links"), data.runs[2].error);
      const run = await get(first, "/run/lenet-2");
      assertEquals([run.status, run.data.run.filters], [200, undefined]);
    }),
});

Deno.test("a run's page and a comparison show what the files hold at that moment", () =>
  withRuns(async (server, folder) => {
    const path = join(folder, "lenet-2", "metrics.jsonl");
    const before = (await get(server, "/run/lenet-2")).data;
    assertEquals([before.mode, before.home, before.run.name], ["report", "../", "lenet-2"]);
    await Deno.writeTextFile(path, '{"step":100000,"loss":0.5}\n', { append: true });
    const after = (await get(server, "/run/lenet%2D2")).data;
    assertEquals(after.run.series.curves.loss.x.length, before.run.series.curves.loss.x.length + 1);
    const both = (await get(server, "/compare", "run=lenet-2&run=lenet-10&run=lenet-2&")).data;
    assertEquals([both.mode, both.home], ["compare", "./"]);
    assertEquals(both.runs.map(({ name }: { name: string }) => name), ["lenet-2", "lenet-10"]);
  }));

Deno.test("the list as JSON is that of the page, and shows what has changed since", () =>
  withRuns(async (server, folder) => {
    const read = async () => JSON.parse((await get(server, "/list.json")).body);
    const before = await read();
    assertEquals(before, (await get(server, "/")).data.runs);
    assertEquals(before.map(({ data, losses }: { data: string; losses: number[] }) => [data, losses.length]), [
      ["cifar10", 20],
      ["cifar10", 20],
    ]);
    assertEquals(await read(), before);
    await Deno.writeTextFile(join(folder, "lenet-2", "metrics.jsonl"), '{"step":100000,"loss":0.5}\n', {
      append: true,
    });
    assertEquals((await read())[0].figures.steps, 100000);
    {
      await using _ = await lockRun(join(folder, "lenet-10"));
      assertEquals((await read())[1].state, "running");
    }
    assertEquals((await read())[1].state, "finished");
    await Deno.remove(join(folder, "lenet-2"), { recursive: true });
    assertEquals((await read()).length, 1);
  }));

Deno.test("a run goes to the trash with the token alone, not while it runs, and nothing else does", () =>
  withRuns(async (server, folder) => {
    const trash = (run: unknown, token = server.token, type = "application/json") => {
      const body = JSON.stringify({ run });
      const head = [
        `POST /trash?token=${token} HTTP/1.1`,
        `host: ${new URL(server.url).host}`,
        `content-type: ${type}`,
      ];
      return exchange(server.url, [...head, `content-length: ${body.length}`], body);
    };
    const exists = (...path: string[]) => Deno.stat(join(folder, ...path)).then(() => true, () => false);
    assertEquals((await trash("lenet-2", "A".repeat(32))).status, 403);
    assertEquals((await trash("lenet-2", server.token, "text/plain")).status, 415);
    for (const name of ["../secret", "link", "empty", "config.json", ".trash", ".", "", "lenet-3", null, ["lenet-2"]]) {
      assertEquals((await trash(name)).status, 404, String(name));
    }
    {
      await using _ = await lockRun(join(folder, "lenet-2"));
      const { status, body } = await trash("lenet-2");
      assertEquals([status, JSON.parse(body).error], [409, "the run is running: stop it first"]);
    }
    assertEquals([await exists("lenet-2"), await exists(".trash")], [true, false]);
    assertEquals((await trash("lenet-2")).status, 200);
    await writeRun(join(folder, "lenet-2"), { lines: 1 });
    const { status, body } = await trash("lenet-2");
    assertEquals([status, JSON.parse(body).to], [200, join(folder, ".trash", "lenet-2 (2)")]);
    assertEquals([await exists("lenet-2"), await exists(".trash", "lenet-2", "metrics.jsonl")], [false, true]);
    assertEquals(JSON.parse((await get(server, "/list.json")).body).length, 1);
    assertEquals((await get(server, "/run/.trash")).status, 404);
  }));

Deno.test("nothing outside the folder is served, however its name is written", () =>
  withRuns(async (server) => {
    const names = [
      "../secret",
      "..%2Fsecret",
      "..%5Csecret",
      "%2E%2E/secret",
      "link",
      "config.json",
      "empty",
    ];
    // `..` and its escapes are taken away on the way: /run/.. is the list.
    for (const name of [...names, ".", "", "%", "%FF", "lenet-2%00", "lenet-2/", "lenet-2/config.json"]) {
      assertEquals((await get(server, `/run/${name}`)).status, 404, name);
    }
    for (const name of [...names, "./lenet-2", "%2e%2e", ""]) {
      const status = (await get(server, "/compare", `run=lenet-2&run=${name}&`)).status;
      assertEquals(status, 404, name);
    }
    for (const path of ["/lenet-2", "/runs", "/run", "/../secret", "/config.json", "/favicon.ico"]) {
      assertEquals((await get(server, path)).status, 404, path);
    }
  }));

Deno.test("a comparison needs two runs, and takes 24 at most", () =>
  withRuns(async (server) => {
    const few = await get(server, "/compare", "run=lenet-2&run=lenet-2&");
    assertEquals([few.status, few.body], [400, "Choose at least two runs.\n"]);
    const query = Array.from({ length: 25 }, (_, i) => `run=${i}&`).join("");
    assertEquals((await get(server, "/compare", query)).body, "Choose at most 24 runs.\n");
  }));

Deno.test("a folder that goes away while it is served is an error on the page", () =>
  withRuns(async (server, folder) => {
    await Deno.remove(folder, { recursive: true });
    const { status, body } = await get(server, "/");
    assertEquals([status, body], [500, `cannot read the runs in ${folder}: no such file or folder\n`]);
    assertEquals((await get(server, "/run/lenet-2")).status, 404);
    await assertRejects(() => startBrowsing(folder, { port: 0 }), DataError, "no such file or folder");
  }));

Deno.test("wgrad train --dashboard with a port in use ends with exit code 2 before there is a run", () =>
  withFolder(async (folder) => {
    using busy = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = busy.addr as Deno.NetAddr;
    const { code, out, err } = await wgrad(folder, ["train", "--data", "synthetic", "--dashboard", `${port}`]);
    assertEquals([code, out], [2, []]);
    assertEquals(
      err[0],
      `error: cannot serve on port ${port} of 127.0.0.1: it is in use; choose another port, or let wgrad choose`,
    );
    assertEquals([...Deno.readDirSync(folder)], []);
  }));
