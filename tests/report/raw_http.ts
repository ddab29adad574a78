/**
 * HTTP by hand, for the tests of servers: `fetch` can neither name another `Host` nor stop reading.
 *
 * @module
 */

/** What a server answered. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: string;
}

/** Opens a connection to the server of `url` and sends a request: its first line, its headers, an empty line, a body. */
export async function send(url: string, lines: readonly string[], body = ""): Promise<Deno.TcpConn> {
  const { hostname, port } = new URL(url);
  const connection = await Deno.connect({ hostname: hostname.replace(/[[\]]/g, ""), port: Number(port) });
  const bytes = new TextEncoder().encode([...lines, "connection: close", "", body].join("\r\n"));
  for (let sent = 0; sent < bytes.length;) sent += await connection.write(bytes.subarray(sent));
  return connection;
}

/** Sends a request and reads the answer to the end of the connection. */
export async function exchange(url: string, lines: readonly string[], body = ""): Promise<Answer> {
  using connection = await send(url, lines, body);
  let text = "";
  for await (const part of connection.readable.pipeThrough(new TextDecoderStream())) text += part;
  const end = text.indexOf("\r\n\r\n"), [first = "", ...rest] = text.slice(0, end).split("\r\n");
  return {
    status: Number(first.split(" ")[1]),
    headers: new Headers(rest.map((line) => line.split(/: */, 2) as [string, string])),
    body: text.slice(end + 4),
  };
}
