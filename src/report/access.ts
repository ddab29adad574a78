/**
 * Decides which requests the web server of wgrad answers. Every page that is open in the browser, and every user of the
 * machine, can reach a local web server. So a request must carry the token of the printed URL, its `Host` header must be the
 * address of this server (which prevents DNS rebinding), and it must not come from another site.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { timingSafeEqual } from "node:crypto";

/** Addresses to listen on: 127.0.0.1 and ::1 are local; 0.0.0.0 and :: can be reached from other machines. */
export const HOSTS = ["127.0.0.1", "::1", "0.0.0.0", "::"] as const;

/** One of the addresses to listen on. */
export type Host = typeof HOSTS[number];

/** The address of a server, and the token that requests must carry. */
export interface ServedAddress {
  readonly host: Host;
  readonly port: number;
  readonly token: string;
}

/** Headers of every response. They give no access to other sites. */
export const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  "cache-control": "no-store",
  "content-security-policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
};

/** Makes a new token: 192 random bits, encoded for a URL. */
export function makeToken(): string {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(24))).toString("base64url");
}

/** The URL of a page, to print and to open. */
export function pageUrl({ host, port, token }: ServedAddress): string {
  // A browser cannot open 0.0.0.0 or ::; the local address works too.
  const name = { "127.0.0.1": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::1": "[::1]", "::": "[::1]" }[host];
  return `http://${name}:${port}/?token=${token}`;
}

/** How to open a page from another machine; undefined if that is not possible. */
export function remoteNote(host: Host): string | undefined {
  if (host === "127.0.0.1" || host === "::1") return undefined;
  const local = host === "::" ? "[::1]" : "127.0.0.1";
  return `from another machine, replace ${local} by the address of this one; it is plain HTTP, which the network can read`;
}

/** Whether to answer a request. The reason for a refusal is not given, since it would only help an attacker. */
export function isAllowed({ headers, method, url }: Request, guarded: ServedAddress): boolean {
  const host = headers.get("host") ?? "", origin = headers.get("origin");
  return isOwnHost(host, guarded) && (origin === null || origin === `http://${host}`) && isOwnSite(headers, method) &&
    sameText(new URL(url).searchParams.get("token") ?? "", guarded.token);
}

/** Browsers state where a request comes from. From another site, only following a link is allowed. */
function isOwnSite(headers: Headers, method: string): boolean {
  const site = headers.get("sec-fetch-site") ?? "none";
  const link = method === "GET" && headers.get("sec-fetch-mode") === "navigate" &&
    headers.get("sec-fetch-dest") === "document";
  return site === "same-origin" || site === "none" || link;
}

/**
 * Whether the `Host` header is an address of this server. An attacker can point a host name at this machine, but not a
 * numeric address. So a server that listens on all addresses accepts every numeric address.
 */
function isOwnHost(header: string, { host, port }: ServedAddress): boolean {
  const match = /^(localhost|[\d.]+|\[[\da-f:.]+\])(?::(\d+))?$/i.exec(header);
  if (match === null || Number(match[2] ?? 80) !== port) return false;
  const name = match[1]!.toLowerCase();
  return host === "0.0.0.0" || host === "::" || ["localhost", "127.0.0.1", "[::1]"].includes(name);
}

/** Compares two texts in a time that does not depend on where they differ. */
function sameText(a: string, b: string): boolean {
  const [x, y] = [Buffer.from(a), Buffer.from(b)];
  return x.length === y.length && timingSafeEqual(x, y);
}
