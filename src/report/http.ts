/**
 * HTTP with limits. Everyone who can reach the port can open connections, with or without the token, and must not be able to
 * use up the file descriptors of the program: training never depends on the page. So the connections are limited in number
 * and in time, and the server listens again if it has stopped.
 *
 * `Deno.serve` has no such limits, and ends at the first connection that it cannot accept. `node:http` has them.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { Readable } from "node:stream";

/** The limits of a server. A test has shorter ones. */
export interface Limits {
  /** The most connections at once. For a new one, the oldest that waits for a request is closed. */
  readonly connections: number;
  /** Milliseconds in which a client must have sent its headers, and its whole request. */
  readonly requestMs: number;
  /** Milliseconds for which a connection is kept open after a response. */
  readonly idleMs: number;
  /** Milliseconds between the checks whether the server still accepts connections. */
  readonly checkMs: number;
}

const LIMITS: Limits = { connections: 64, requestMs: 10_000, idleMs: 5000, checkMs: 10_000 };

/** The most connections that the system accepts before the program has seen them. */
const BACKLOG = 64;

type HttpListener = ReturnType<typeof createServer>;

interface Address {
  readonly host: string;
  readonly port: number;
}

/** A server that listens. */
export interface HttpServer {
  readonly port: number;
  /** Frees the port, and closes all connections: those with an unfinished response after at most half a second. */
  close(): Promise<void>;
}

/**
 * Listens on an address, and answers each request. If `answer` throws, the response is `failed()`.
 *
 * @throws {Error} with the system's `code`, such as `EADDRINUSE`, if the address cannot be bound.
 */
export async function serveHttp(
  where: Address,
  answer: (request: Request) => Promise<Response>,
  failed: () => Response,
  limits: Limits = LIMITS,
): Promise<HttpServer> {
  const server = createServer({
    headersTimeout: limits.requestMs,
    requestTimeout: limits.requestMs,
    keepAliveTimeout: limits.idleMs,
    connectionsCheckingInterval: limits.requestMs / 4,
  }, async (incoming, outgoing) => {
    const request = requestOf(incoming);
    const response = request === undefined ? new Response(null, { status: 400 }) : await answer(request).catch(failed);
    await send(response, outgoing).catch(() => outgoing.destroy()); // The client has gone, or the body ended with an error.
  });
  const waiting = limitConnections(server, limits.connections);
  await listen(server, where);
  const { port } = server.address() as AddressInfo, stopWatching = keepListening(server, { ...where, port }, limits);
  return {
    port,
    async close() {
      stopWatching();
      const { promise: ended, resolve } = Promise.withResolvers<void>(), timer = setTimeout(resolve, 500);
      server.close(() => resolve());
      for (const socket of waiting) socket.destroy();
      await ended;
      clearTimeout(timer);
      server.closeAllConnections();
    },
  };
}

/**
 * Closes the oldest connection that waits for a request when there is one too many.
 *
 * @returns the connections that wait for a request, the oldest first.
 */
function limitConnections(server: HttpListener, limit: number): ReadonlySet<Socket> {
  const open = new Set<Socket>(), waiting = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    open.add(socket);
    waiting.add(socket);
    socket.on("error", () => {}); // The client has gone.
    socket.once("close", () => {
      open.delete(socket);
      waiting.delete(socket);
    });
    if (open.size <= limit) return;
    const [oldest = socket] = waiting;
    oldest.destroy();
    // Closing takes a moment, in which it must not be chosen again.
    open.delete(oldest);
    waiting.delete(oldest);
  });
  server.on("request", ({ socket }: IncomingMessage, outgoing: ServerResponse) => {
    waiting.delete(socket);
    outgoing.once("close", () => {
      if (!socket.destroyed) waiting.add(socket);
    });
  });
  return waiting;
}

/**
 * Listens again after the server has stopped accepting connections. It stops, and reports no error, when there is no file
 * descriptor for a connection. So a connection is opened regularly.
 *
 * @returns ends this.
 */
function keepListening(server: HttpListener, where: Address, { checkMs }: Limits): () => void {
  const hostname = { "0.0.0.0": "127.0.0.1", "::": "::1" }[where.host] ?? where.host;
  let accepted = 0, stopped = false;
  server.on("connection", () => accepted++);
  server.on("error", () => {}); // The next check tries again.
  const timer = setInterval(async () => {
    const before = accepted;
    try {
      (await Deno.connect({ hostname, port: where.port })).close();
      await new Promise((resolve) => setTimeout(resolve, checkMs / 10));
    } catch {
      // No file descriptor is left, or nothing listens.
    }
    if (stopped || accepted > before) return;
    server.close();
    await listen(server, where).catch(() => {});
    if (stopped) server.close();
  }, checkMs);
  return () => {
    stopped = true;
    clearInterval(timer);
  };
}

/** Resolves when the server listens. */
function listen(server: HttpListener, where: Address): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const listening = () => (server.off("error", failed), resolve());
  const failed = (error: Error) => (server.off("listening", listening), reject(error));
  server.once("listening", listening).once("error", failed);
  server.listen({ ...where, backlog: BACKLOG });
  return promise;
}

/**
 * The request as the web's own class, with every header of the client: one that is given twice has both values.
 *
 * @returns undefined if its address or its `Host` header is malformed.
 */
function requestOf(incoming: IncomingMessage): Request | undefined {
  const { method = "GET", url = "/", rawHeaders } = incoming, headers = new Headers();
  for (let i = 0; i < rawHeaders.length; i += 2) headers.append(rawHeaders[i]!, rawHeaders[i + 1]!);
  // A client that takes this server for a proxy sends a whole URL. It must not name another server.
  const host = `http://${headers.get("host")}`, address = URL.parse(url.startsWith("/") ? host + url : url);
  if (address === null || address.origin !== URL.parse(host)?.origin) return undefined;
  const body = method === "GET" || method === "HEAD" ? null : Readable.toWeb(incoming) as ReadableStream<Uint8Array>;
  // A `Request` cannot have the method TRACE. No method but GET and POST is answered.
  return new Request(address, { method: method === "TRACE" ? "OPTIONS" : method, headers, body });
}

/** Sends a response, no faster than the client reads it. */
async function send(response: Response, outgoing: ServerResponse): Promise<void> {
  outgoing.writeHead(response.status, Object.fromEntries(response.headers)).flushHeaders();
  const reader = response.body?.getReader();
  outgoing.once("close", () => reader?.cancel().catch(() => {}));
  for (let part = await reader?.read(); part !== undefined && !part.done; part = await reader?.read()) {
    const more = outgoing.write(Buffer.from(part.value));
    if (!more) await new Promise<void>((resolve) => outgoing.once("drain", resolve).once("close", resolve));
  }
  outgoing.end();
}
