import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import { DataError, UsageError } from "../../src/errors.ts";
import { HOSTS } from "../../src/report/access.ts";
import { DEFAULT_PORT, type Handler, json, readJson, type Server, startServer } from "../../src/report/server.ts";
import { exchange, send } from "./raw_http.ts";

const echo: Handler = async (request, { pathname }) => {
  if (pathname === "/fault") throw new DataError("cannot read config.json: it is not JSON");
  if (pathname === "/bug") throw new TypeError("the inside of the program");
  if (pathname !== "/") return undefined;
  const body = await readJson(request);
  return body instanceof Response ? body : json(200, body.value);
};

async function withServer(test: (server: Server, port: number) => Promise<void>, host?: typeof HOSTS[number]) {
  const server = startServer({ port: 0, host }, echo);
  try {
    await test(server, Number(new URL(server.url).port));
  } finally {
    await server.close();
  }
}

/** A request that is answered with 200, changed by what a test gives. `{…}` is the port or the token. */
interface Attempt {
  readonly method?: string;
  readonly path?: string;
  readonly host?: string;
  readonly headers?: readonly string[];
  readonly body?: string;
}

function request({ url, token }: Server, attempt: Attempt) {
  const port = new URL(url).port, fill = (text: string) => text.replaceAll("{port}", port).replaceAll("{token}", token);
  const { method = "POST", path = "/?token={token}", host = "127.0.0.1:{port}", headers = [], body = "[1]" } = attempt;
  const type = headers.some((line) => line.startsWith("content-type")) ? [] : ["content-type: application/json"];
  const length = headers.some((line) => line.startsWith("transfer-")) ? [] : [`content-length: ${body.length}`];
  const named = host === "" ? [] : [`host: ${host}`];
  return exchange(url, [`${method} ${path} HTTP/1.1`, ...named, ...type, ...length, ...headers].map(fill), body);
}

const LINK = ["sec-fetch-mode: navigate", "sec-fetch-dest: document"];

const accepted: Record<string, Attempt> = {
  "the printed address": {},
  "localhost": { host: "localhost:{port}" },
  "the address of IPv6": { host: "[::1]:{port}" },
  "its own origin": { headers: ["origin: http://127.0.0.1:{port}", "sec-fetch-site: same-origin"] },
  "its own origin under the other name": { host: "localhost:{port}", headers: ["origin: http://localhost:{port}"] },
  "a typed address": { headers: ["sec-fetch-site: none", ...LINK] },
  "a type with its charset": { headers: ["content-type: Application/JSON; charset=utf-8"] },
};

const refused: Record<string, Attempt> = {
  "no token": { path: "/" },
  "an empty token": { path: "/?token=" },
  "a wrong token of the same length": { path: `/?token=${"A".repeat(32)}` },
  "a longer token": { path: "/?token={token}A" },
  "a wrong token before the right one": { path: "/?token=x&token={token}" },
  "a token in a header": { path: "/", headers: ["authorization: Bearer {token}", "cookie: token={token}"] },
  "no token at a path that there is not": { path: "/nothing" },
  "a foreign Host": { host: "evil.example:{port}" },
  "a foreign Host that begins like ours": { host: "127.0.0.1.evil.example:{port}" },
  "a Host with a user's name": { host: "127.0.0.1:{port}@evil.example" },
  "a Host of another port": { host: "127.0.0.1:1" },
  "a Host without the port": { host: "127.0.0.1" },
  "an address of this machine that is not bound": { host: "127.0.0.2:{port}" },
  "two Hosts": { headers: ["host: evil.example"] },
  "a foreign Origin": { headers: ["origin: http://evil.example"] },
  "an Origin of another port": { headers: ["origin: http://127.0.0.1:1"] },
  "an Origin of another scheme": { headers: ["origin: https://127.0.0.1:{port}"] },
  "an Origin under the other name": { headers: ["origin: http://localhost:{port}"] },
  "an Origin without a name": { headers: ["origin: null"] },
  "a request from another site": { headers: ["sec-fetch-site: cross-site"] },
  "a request from another port": { headers: ["sec-fetch-site: same-site"] },
  "a form of another site": { headers: ["sec-fetch-site: cross-site", ...LINK] },
  "a frame in another site": {
    method: "GET",
    headers: ["sec-fetch-site: cross-site", "sec-fetch-mode: navigate", "sec-fetch-dest: iframe"],
  },
};

Deno.test("a server answers what comes from its own page", () =>
  withServer(async (server) => {
    for (const [what, attempt] of Object.entries(accepted)) {
      const { status, body } = await request(server, attempt);
      assertEquals([status, body], [200, "[1]"], what);
    }
    // A link in another page, such as a terminal's in the browser. There is no body to read: 415.
    const link = { method: "GET", headers: ["sec-fetch-site: cross-site", "content-type: none", ...LINK], body: "" };
    assertEquals((await request(server, link)).status, 415);
  }));

Deno.test("a server answers 403 without the token, to another name, and to other sites, and tells no more", () =>
  withServer(async (server) => {
    for (const [what, attempt] of Object.entries(refused)) {
      const { status, body } = await request(server, attempt);
      if (what === "two Hosts" && status === 400) continue; // Refused before it reaches us.
      assertEquals(status, 403, what);
      assertEquals(body, "Forbidden: open the address that wgrad printed, including its token.\n", what);
    }
    const { status } = await request(server, { host: "" });
    assert(status === 400 || status === 403, "no Host");
  }));

Deno.test("a server takes GET and POST alone, JSON alone, and no long body", () =>
  withServer(async (server) => {
    for (const method of ["PUT", "DELETE", "OPTIONS", "HEAD", "TRACE"]) {
      const { status, headers } = await request(server, { method });
      assertEquals([status, headers.get("allow")], [405, "GET, POST"], method);
    }
    const long = JSON.stringify("x".repeat(4095)), chunked = `${long.length.toString(16)}\r\n${long}\r\n0\r\n\r\n`;
    const cases: [Attempt, number, string][] = [
      [{ headers: ["content-type: text/plain"] }, 415, '{"error":"the body must be application/json"}'],
      [{ headers: ["content-type: application/jsonp"] }, 415, '{"error":"the body must be application/json"}'],
      [{ body: JSON.stringify("x".repeat(4094)) }, 200, JSON.stringify("x".repeat(4094))],
      [{ body: long }, 413, '{"error":"the body is longer than 4096 bytes"}'],
      [
        { body: chunked, headers: ["transfer-encoding: chunked"] },
        413,
        '{"error":"the body is longer than 4096 bytes"}',
      ],
      [{ body: "" }, 400, '{"error":"the body is not JSON"}'],
      [{ body: "{" }, 400, '{"error":"the body is not JSON"}'],
    ];
    for (const [attempt, status, body] of cases) {
      const answer = await request(server, attempt);
      assertEquals([answer.status, answer.body], [status, body]);
    }
  }));

Deno.test("every answer has the headers that close it to others, and none that opens it", () =>
  withServer(async (server) => {
    for (
      const [attempt, status] of [
        [{}, 200],
        [{ path: "/" }, 403],
        [{ path: "/nothing?token={token}" }, 404],
        [{ method: "PUT" }, 405],
        [{ path: "/fault?token={token}" }, 500],
        [{ path: "/bug?token={token}" }, 500],
      ] as const
    ) {
      const { headers, ...answer } = await request(server, attempt);
      assertEquals(answer.status, status);
      assertMatch(headers.get("content-security-policy") ?? "", /^default-src 'none'; .*frame-ancestors 'none'/);
      assertEquals(headers.get("x-content-type-options"), "nosniff");
      assertEquals(headers.get("referrer-policy"), "no-referrer");
      assertEquals(headers.get("cache-control"), "no-store");
      assertEquals(headers.get("cross-origin-resource-policy"), "same-origin");
      assertEquals(headers.get("cross-origin-opener-policy"), "same-origin");
      assertEquals([...headers.keys()].filter((name) => name.startsWith("access-control-")), []);
    }
  }));

Deno.test("a fault in a run's folder is told, a bug's inside is not, and the server lives on", () =>
  withServer(async (server) => {
    const fault = await request(server, { path: "/fault?token={token}" });
    assertEquals(fault.body, "cannot read config.json: it is not JSON\n");
    const bug = await request(server, { path: "/bug?token={token}" });
    assertEquals(bug.body, "The server failed. This is a bug in wgrad.\n");
    assertEquals((await request(server, {})).status, 200);
  }));

Deno.test("a token has 192 bits, and each server one of its own", async () => {
  const tokens: string[] = [];
  for (let i = 0; i < 3; i++) {
    await withServer((server) => {
      assertMatch(server.token, /^[\w-]{32}$/);
      assertEquals(new URL(server.url).search, `?token=${server.token}`);
      tokens.push(server.token);
      return Promise.resolve();
    });
  }
  assertEquals(new Set(tokens).size, 3);
});

Deno.test("a server listens on this machine's own address alone, unless another host is asked for", async () => {
  // Without a network, another address of the machine itself, which is none that a server on 127.0.0.1 listens on.
  const { address } =
    Deno.networkInterfaces().find(({ family, address }) => family === "IPv4" && !/^127\./.test(address)) ??
      { address: "127.0.0.2" };
  for (const host of HOSTS) {
    if (!host.includes(".") && !Deno.networkInterfaces().some(({ address }) => address === "::1")) continue;
    await withServer(async (server, port) => {
      assertEquals((await fetch(server.url)).status, 415); // As above: there is no body.
      const everywhere = host === "0.0.0.0" || host === "::";
      assertEquals(
        server.note?.includes(`replace ${new URL(server.url).hostname} by `),
        everywhere || undefined,
        host,
      );
      const path = `/?token=${server.token}`;
      const reached = await exchange(`http://${address}:${port}`, [`GET ${path} HTTP/1.1`, `host: ${address}:${port}`])
        .then(({ status }) => status, () => undefined);
      assertEquals(reached, everywhere ? 415 : undefined, host);
    }, host);
  }
});

Deno.test("a server on all addresses takes an address of numbers as its name, and no other name", () =>
  withServer(async (server) => {
    for (const host of ["192.168.7.7:{port}", "[fe80::1]:{port}", "localhost:{port}"]) {
      assertEquals((await request(server, { host })).status, 200, host);
    }
    for (const host of ["evil.example:{port}", "192.168.7.7:1", "192.168.7.7.evil.example:{port}"]) {
      assertEquals((await request(server, { host })).status, 403, host);
    }
  }, "0.0.0.0"));

Deno.test("a port in use is an error where it was asked for, and passed over where it was not", async () => {
  await withServer((_, port) => {
    const error = assertThrows(() => startServer({ port }, echo), UsageError);
    const why = "it is in use; choose another port, or let wgrad choose";
    assertEquals(error.message, `cannot serve on port ${port} of 127.0.0.1: ${why}`);
    return Promise.resolve();
  });
  const first = startServer({}, echo), second = startServer({}, echo);
  const [a, b] = [first, second].map(({ url }) => Number(new URL(url).port)) as [number, number];
  assert(DEFAULT_PORT <= a && a < b, `${a} ${b}`); // Another program may have the first.
  await first.close();
  await second.close();
});

Deno.test({
  name: "a host without permission is an error of one line",
  permissions: { net: ["127.0.0.1"] },
  fn: () => {
    const error = assertThrows(() => startServer({ port: 0, host: "0.0.0.0" }, echo), UsageError);
    const why = "this program was started without permission for it";
    assertEquals(error.message, `cannot serve on port 0 of 0.0.0.0: ${why}`);
  },
});

Deno.test("close() does not wait for connections that ask for nothing, or for half of something", async () => {
  const entered = Promise.withResolvers<void>();
  const server = startServer({ port: 0 }, (request, url) => (entered.resolve(), echo(request, url)));
  const silent = await send(server.url, []);
  const path = `POST /?token=${server.token} HTTP/1.1`, host = `host: ${new URL(server.url).host}`;
  const half = await send(server.url, [path, host, "content-type: application/json", "content-length: 100"], "[");
  await entered.promise;
  await server.close();
  silent.close();
  half.close();
  const again = startServer({ port: Number(new URL(server.url).port) }, echo);
  await again.close();
});
