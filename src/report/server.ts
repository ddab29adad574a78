/**
 * The web server of the live page and of the browser of past runs: it binds an address, lets the guard look at each
 * request, and gives each answer its headers. What is served is the caller's.
 *
 * @module
 */
import { UsageError, WgradError } from "../errors.ts";
import {
  type Host,
  isAllowed,
  makeToken,
  pageUrl,
  remoteNote,
  SECURITY_HEADERS,
  type ServedAddress,
} from "./access.ts";

/** The port that is tried first where none is asked for. */
export const DEFAULT_PORT = 8484;

/** Ports after the default one that are tried where it is in use. */
const MORE_PORTS = 20;

/** Most bytes of a request's body. */
const MAX_BODY = 4096;

export interface ServerOptions {
  /** The port; 0 for any free one. Default: `DEFAULT_PORT`, or the next free one after it. */
  readonly port?: number | undefined;
  /** The address to listen on. Default: 127.0.0.1, which this machine alone can reach. */
  readonly host?: Host | undefined;
}

/** A running server. */
export interface Server {
  /** The address to open, with its token. */
  readonly url: string;
  /** What others must know who open it from elsewhere; undefined where they cannot. */
  readonly note: string | undefined;
  /** The token, which every link of a page must carry. */
  readonly token: string;
  /** Frees the port, and waits half a second at most for the answers under way. */
  close(): Promise<void>;
}

/** Answers a request that has passed the guard; undefined where there is nothing at its path. */
export type Handler = (request: Request, url: URL) => Promise<Response | undefined> | Response | undefined;

/**
 * Starts to serve.
 *
 * @throws {UsageError} if the port is in use or the address cannot be bound.
 */
export function startServer({ port, host = "127.0.0.1" }: ServerOptions, handler: Handler): Server {
  const token = makeToken();
  const answer = async (request: Request): Promise<Response> => {
    if (!isAllowed(request, guarded)) {
      return text(403, "Forbidden: open the address that wgrad printed, with its token.");
    }
    if (request.method !== "GET" && request.method !== "POST") {
      return text(405, "Only GET and POST are served.", { allow: "GET, POST" });
    }
    try {
      return await handler(request, new URL(request.url)) ?? text(404, "There is nothing here.");
    } catch (error) {
      // What a run's folder holds is not in our hands; its fault is shown, and the server lives on.
      if (error instanceof WgradError) return text(500, error.message);
      throw error;
    }
  };
  const options = {
    hostname: host,
    onListen: () => {},
    onError: () => text(500, "The server failed: a bug in wgrad."),
  };
  const server = bind(port, host, (port) => Deno.serve({ ...options, port }, answer));
  const guarded: ServedAddress = { host, port: server.addr.port, token };
  return {
    url: pageUrl(guarded),
    note: remoteNote(host),
    token,
    async close() {
      // The port is free at once. A client that does not end its request must not hold up the end of the process.
      const { promise: late, resolve } = Promise.withResolvers<void>(), timer = setTimeout(resolve, 500);
      await Promise.race([server.shutdown(), late]);
      clearTimeout(timer);
    },
  };
}

/** An answer of plain text. */
export function text(status: number, message: string, headers: Record<string, string> = {}): Response {
  return new Response(`${message}\n`, {
    status,
    headers: { ...SECURITY_HEADERS, "content-type": "text/plain; charset=utf-8", ...headers },
  });
}

/** A page. What it may load, it says itself: it knows its own scripts. That others may not frame it, only a header can say. */
export function html(page: string): Response {
  return new Response(page, {
    headers: {
      ...SECURITY_HEADERS,
      "content-security-policy": "frame-ancestors 'none'",
      "content-type": "text/html; charset=utf-8",
    },
  });
}

/** An answer of JSON. */
export function json(status: number, value: unknown): Response {
  return new Response(JSON.stringify(value), {
    status,
    headers: { ...SECURITY_HEADERS, "content-type": "application/json; charset=utf-8" },
  });
}

/**
 * The JSON of a request's body.
 *
 * @returns the value, or the answer that says why there is none.
 */
export async function readJson(request: Request): Promise<{ value: unknown } | Response> {
  const type = (request.headers.get("content-type") ?? "").split(";")[0]!.trim().toLowerCase();
  // Also what keeps forms of other sites out: they cannot send this type.
  if (type !== "application/json") return json(415, { error: "the body must be application/json" });
  const bytes = new Uint8Array(MAX_BODY);
  let length = 0;
  for await (const chunk of request.body ?? []) {
    if (length + chunk.length > MAX_BODY) return json(413, { error: `the body is longer than ${MAX_BODY} bytes` });
    bytes.set(chunk, length);
    length += chunk.length;
  }
  try {
    return { value: JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes.subarray(0, length))) };
  } catch {
    return json(400, { error: "the body is not JSON" });
  }
}

/** Binds the port that was asked for, or the first free one from the default on. */
function bind<T>(asked: number | undefined, host: Host, listen: (port: number) => T): T {
  const last = asked ?? DEFAULT_PORT + MORE_PORTS;
  for (let port = asked ?? DEFAULT_PORT;; port++) {
    try {
      return listen(port);
    } catch (error) {
      const inUse = error instanceof Deno.errors.AddrInUse;
      if (inUse && port < last) continue;
      let why = error instanceof Error ? error.message : String(error);
      if (inUse && asked === undefined) why = `and all ports after it up to ${last} are in use`;
      else if (inUse) why = "it is in use; choose another, or let wgrad choose";
      else if (error instanceof Deno.errors.NotCapable) why = "this program was started without permission for it";
      else if (error instanceof Deno.errors.PermissionDenied) {
        why = "the system does not allow it; choose one over 1023";
      } else if (error instanceof Deno.errors.AddrNotAvailable) why = "this machine does not have the address";
      const name = host.includes(":") ? `[${host}]` : host;
      throw new UsageError(`cannot serve on port ${asked ?? DEFAULT_PORT} of ${name}: ${why}`);
    }
  }
}
