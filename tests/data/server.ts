/**
 * A web server on 127.0.0.1 for the tests of downloads. It speaks HTTP by hand, because it must be able to do what no
 * proper server does: promise more bytes than it sends, fall silent, ignore or misunderstand a range.
 *
 * @module
 */

/** What the server does with one request; the last behaviour serves all requests that follow. */
export interface Behaviour {
  /** Default: 206 if a range is asked for, else 200. */
  readonly status?: number;
  /** Answer with the whole although a range is asked for. */
  readonly ignoreRange?: boolean;
  /** The `content-range` to send, instead of the true one. */
  readonly contentRange?: string;
  /** Leave out `content-length`: the end of the connection is the end of the body. */
  readonly noLength?: boolean;
  /** Send this many bytes of the body, and then … */
  readonly bytes?: number;
  /** … end the connection (the default), or keep it open and silent. */
  readonly then?: "close" | "silence";
  /** Say nothing at all. */
  readonly mute?: boolean;
  /** Milliseconds between pieces of 1,000 bytes. */
  readonly slowly?: number;
}

/** A running server. */
export interface TestServer extends AsyncDisposable {
  readonly url: string;
  /** The `range` headers of the requests so far, "" where there was none. */
  readonly ranges: string[];
}

/** An address of this machine where nobody listens. */
export function deadUrl(): string {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  return `http://127.0.0.1:${port}/cifar-10-binary.tar.gz`;
}

/** Serves `content`, one behaviour a request. */
export function serve(content: Uint8Array, behaviours: readonly Behaviour[]): TestServer {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const ranges: string[] = [], open = new Set<Deno.Conn>(), running = new Set<Promise<void>>();
  const accepting = (async () => {
    for await (const connection of listener) {
      const behaviour = behaviours[Math.min(ranges.length, behaviours.length - 1)]!;
      open.add(connection);
      const task = answer(connection, content, behaviour, ranges).catch(() => {}).then((keep) => {
        if (!keep) close(connection, open);
        running.delete(task);
      });
      running.add(task);
    }
  })();
  return {
    url: `http://127.0.0.1:${listener.addr.port}/cifar-10-binary.tar.gz`,
    ranges,
    async [Symbol.asyncDispose]() {
      listener.close();
      for (const connection of open) close(connection, open);
      await accepting;
      await Promise.all(running);
    },
  };
}

function close(connection: Deno.Conn, open: Set<Deno.Conn>): void {
  if (open.delete(connection)) connection.close();
}

/** Answers one request. Returns true if the connection is to stay open. */
async function answer(
  connection: Deno.Conn,
  content: Uint8Array,
  behaviour: Behaviour,
  ranges: string[],
): Promise<boolean> {
  let request = "";
  const buffer = new Uint8Array(4096);
  while (!request.includes("\r\n\r\n")) {
    const length = await connection.read(buffer);
    if (length === null) return false;
    request += new TextDecoder().decode(buffer.subarray(0, length));
  }
  const range = /\r\nrange: *(\S+)/i.exec(request)?.[1] ?? "";
  ranges.push(range);
  if (behaviour.mute) return true;
  const asked = behaviour.ignoreRange ? 0 : Number(/bytes=(\d+)-/.exec(range)?.[1] ?? 0);
  const status = behaviour.status ?? (range === "" || behaviour.ignoreRange ? 200 : asked < content.length ? 206 : 416);
  const body = status === 200 || status === 206 ? content.subarray(asked) : new Uint8Array(0);
  const lines = [`HTTP/1.1 ${status} Status`, "connection: close"];
  if (!behaviour.noLength) lines.push(`content-length: ${body.length}`);
  const trueRange = status === 206
    ? `bytes ${asked}-${content.length - 1}/${content.length}`
    : `bytes */${content.length}`;
  if (status === 206 || status === 416) lines.push(`content-range: ${behaviour.contentRange ?? trueRange}`);
  const write = async (bytes: Uint8Array) => {
    for (let done = 0; done < bytes.length;) done += await connection.write(bytes.subarray(done));
  };
  await write(new TextEncoder().encode(lines.join("\r\n") + "\r\n\r\n"));
  const sent = body.subarray(0, behaviour.bytes ?? body.length);
  if (behaviour.slowly === undefined) await write(sent);
  else {
    for (let offset = 0; offset < sent.length; offset += 1000) {
      await write(sent.subarray(offset, offset + 1000));
      await new Promise((resolve) => setTimeout(resolve, behaviour.slowly));
    }
  }
  return behaviour.then === "silence";
}
