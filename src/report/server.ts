/**
 * The web server of the live page and of `wgrad dashboard`: it binds an address, checks each request (`access.ts`), and adds
 * the headers to each response. The caller's handler makes the pages.
 *
 * @module
 */
import { parseJson } from "../files/json.ts";
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
import { type Limits, serveHttp } from "./http.ts";

/** The port that is tried first if none is given. */
export const DEFAULT_PORT = 8484;

/** How many ports after the default one are tried if it is in use. */
const MORE_PORTS = 20;

/** The largest body of a request, in bytes. */
const MAX_BODY = 4096;

export interface ServerOptions {
  /** The port; 0 means any free port. Default: the first free port from `DEFAULT_PORT` on. */
  readonly port?: number | undefined;
  /** The address to listen on. Default: 127.0.0.1, which only this machine can reach. */
  readonly host?: Host | undefined;
}

/** A running server. */
export interface Server {
  /** The URL to open, with the token. */
  readonly url: string;
  /** How to open the page from another machine; undefined if that is not possible. */
  readonly note: string | undefined;
  /** The token that every link of a page must carry. */
  readonly token: string;
  /** Frees the port, and waits at most half a second for responses that are not finished. */
  close(): Promise<void>;
}

/** Answers a request that has passed the check; undefined if there is nothing at its path. */
export type Handler = (request: Request, url: URL) => Promise<Response | undefined> | Response | undefined;

/**
 * Starts a server.
 *
 * @throws {UsageError} if the port is in use or the address cannot be bound.
 */
export async function startServer(
  { port, host = "127.0.0.1" }: ServerOptions,
  handler: Handler,
  limits?: Limits,
): Promise<Server> {
  const token = makeToken();
  const answer = async (request: Request): Promise<Response> => {
    if (!isAllowed(request, guarded)) {
      return text(403, "Forbidden: open the address that wgrad printed, including its token.");
    }
    if (request.method !== "GET" && request.method !== "POST") {
      return text(405, "Only GET and POST are served.", { allow: "GET, POST" });
    }
    try {
      return await handler(request, new URL(request.url)) ?? text(404, "There is nothing here.");
    } catch (error) {
      // The files of a run may be damaged. The page shows the error, and the server continues.
      if (error instanceof WgradError) return text(500, error.message);
      throw error;
    }
  };
  const failed = () => text(500, "The server failed. This is a bug in wgrad.");
  const server = await bind(port, host, (port) => serveHttp({ host, port }, answer, failed, limits));
  const guarded: ServedAddress = { host, port: server.port, token };
  return { url: pageUrl(guarded), note: remoteNote(host), token, close: () => server.close() };
}

/** A response with plain text. */
export function text(status: number, message: string, headers: Record<string, string> = {}): Response {
  return respond(status, `${message}\n`, { "content-type": "text/plain; charset=utf-8", ...headers });
}

/** A response with a page. The page itself has a policy for its scripts; only a header can forbid others to frame it. */
export function html(page: string): Response {
  return respond(200, page, {
    "content-security-policy": "frame-ancestors 'none'",
    "content-type": "text/html; charset=utf-8",
  });
}

/** A response with JSON. */
export function json(status: number, value: unknown): Response {
  return respond(status, JSON.stringify(value), { "content-type": "application/json; charset=utf-8" });
}

function respond(status: number, body: string, headers: Record<string, string>): Response {
  const bytes = new TextEncoder().encode(body);
  return new Response(bytes, {
    status,
    headers: { ...SECURITY_HEADERS, "content-length": `${bytes.length}`, ...headers },
  });
}

/**
 * Reads the body of a request as JSON.
 *
 * @returns the value, or a response with the error
 */
export async function readJson(request: Request): Promise<{ value: unknown } | Response> {
  const type = (request.headers.get("content-type") ?? "").split(";")[0]!.trim().toLowerCase();
  // This also blocks forms on other sites: they cannot send this type.
  if (type !== "application/json") return json(415, { error: "the body must be application/json" });
  const bytes = new Uint8Array(MAX_BODY);
  let length = 0;
  for await (const chunk of request.body ?? []) {
    if (length + chunk.length > MAX_BODY) return json(413, { error: `the body is longer than ${MAX_BODY} bytes` });
    bytes.set(chunk, length);
    length += chunk.length;
  }
  try {
    return { value: parseJson(new TextDecoder("utf-8", { fatal: true }).decode(bytes.subarray(0, length))) };
  } catch {
    return json(400, { error: "the body is not JSON" });
  }
}

/** Binds the given port, or the first free one from the default on. */
async function bind<T>(requested: number | undefined, host: Host, listen: (port: number) => Promise<T>): Promise<T> {
  const last = requested ?? DEFAULT_PORT + MORE_PORTS;
  for (let port = requested ?? DEFAULT_PORT;; port++) {
    try {
      await requirePermission(host, port);
      return await listen(port);
    } catch (error) {
      const code = error instanceof Error && "code" in error ? error.code : undefined;
      const inUse = code === "EADDRINUSE";
      if (inUse && port < last) continue;
      let why = error instanceof Error ? error.message : String(error);
      if (inUse && requested === undefined) why = `it and all ports up to ${last} are in use`;
      else if (inUse) why = "it is in use; choose another port, or let wgrad choose";
      else if (error instanceof Deno.errors.NotCapable) why = "this program was started without permission for it";
      else if (code === "EACCES") why = "the system does not allow it; choose a port above 1023";
      else if (code === "EADDRNOTAVAIL" || code === "EINVAL") why = "this machine does not have this address";
      const name = host.includes(":") ? `[${host}]` : host;
      throw new UsageError(`cannot serve on port ${requested ?? DEFAULT_PORT} of ${name}: ${why}`);
    }
  }
}

/** Asks for the permission to listen. `node:http` throws the refusal where nothing can catch it. */
async function requirePermission(host: Host, port: number): Promise<void> {
  const name = host.includes(":") ? `[${host}]` : host;
  const { state } = await Deno.permissions.request({ name: "net", host: `${name}:${port}` });
  if (state !== "granted") throw new Deno.errors.NotCapable(`requires net access to ${name}:${port}`);
}
