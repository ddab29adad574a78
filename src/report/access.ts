/**
 * Who may talk to a page that wgrad serves. A web server on one's own machine can be reached by every page that is open
 * in the browser, and by every user of the machine: a request must bring the token of the printed URL, must have been
 * made for this server's address (else a foreign name has been pointed at it), and must not come from another site.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { timingSafeEqual } from "node:crypto";

/** Addresses to listen on: this machine's own, and all of the machine's, which other machines reach. */
export const HOSTS = ["127.0.0.1", "::1", "0.0.0.0", "::"] as const;

/** One of the addresses to listen on. */
export type Host = typeof HOSTS[number];

/** Where a server listens, and the token that it wants to see. */
export interface ServedAddress {
  readonly host: Host;
  readonly port: number;
  readonly token: string;
}

/** Headers of every answer. None of them opens anything to other sites. */
export const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  "cache-control": "no-store",
  "content-security-policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
};

/** A new token: 192 random bits that may stand in a URL. */
export function makeToken(): string {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(24))).toString("base64url");
}

/** The address of a page: the one to print, and to open. */
export function pageUrl({ host, port, token }: ServedAddress): string {
  // A browser cannot open "all addresses"; this machine's own is one of them.
  const name = { "127.0.0.1": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::1": "[::1]", "::": "[::1]" }[host];
  return `http://${name}:${port}/?token=${token}`;
}

/** How other machines reach a page, where they can. */
export function remoteNote(host: Host): string | undefined {
  if (host === "127.0.0.1" || host === "::1") return undefined;
  const own = host === "::" ? "[::1]" : "127.0.0.1";
  return `on another machine put this one's address for ${own}; it is plain HTTP, which the network between can read`;
}

/** Whether a request may be answered. The reason of a refusal is not told: it would help nobody but an attacker. */
export function isAllowed({ headers, method, url }: Request, guarded: ServedAddress): boolean {
  const host = headers.get("host") ?? "", origin = headers.get("origin");
  return isOwnHost(host, guarded) && (origin === null || origin === `http://${host}`) && isOwnSite(headers, method) &&
    sameText(new URL(url).searchParams.get("token") ?? "", guarded.token);
}

/** Browsers say where a request comes from. Only a link, or a typed address, may lead here from elsewhere. */
function isOwnSite(headers: Headers, method: string): boolean {
  const site = headers.get("sec-fetch-site") ?? "none";
  const link = method === "GET" && headers.get("sec-fetch-mode") === "navigate" &&
    headers.get("sec-fetch-dest") === "document";
  return site === "same-origin" || site === "none" || link;
}

/**
 * Whether `Host` names this server. Behind a name that is not this machine's own may stand any page that pointed that
 * name here; it cannot do so with an address of numbers, so where the server listens on all addresses, all those pass.
 */
function isOwnHost(header: string, { host, port }: ServedAddress): boolean {
  const match = /^(localhost|[\d.]+|\[[\da-f:.]+\])(?::(\d+))?$/i.exec(header);
  if (match === null || Number(match[2] ?? 80) !== port) return false;
  const name = match[1]!.toLowerCase();
  return host === "0.0.0.0" || host === "::" || ["localhost", "127.0.0.1", "[::1]"].includes(name);
}

/** Compares in a time that does not depend on how much is right. */
function sameText(a: string, b: string): boolean {
  const [x, y] = [Buffer.from(a), Buffer.from(b)];
  return x.length === y.length && timingSafeEqual(x, y);
}
