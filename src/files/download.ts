/**
 * One file over HTTP, resumable: what has arrived stays under the given name, and the next try asks only for the rest.
 * A server that falls silent, or is hopelessly slow, is given up, so that another source can be tried.
 *
 * @module
 */
import { basename } from "node:path";
import { DataError } from "../errors.ts";
import { fileError } from "./file_error.ts";
import { fileSize } from "./read.ts";
import { removeQuietly, writeAll } from "./write.ts";

/** Options of `download`. */
export interface DownloadOptions {
  /** Milliseconds to wait for the server's first answer. Default 10,000. */
  readonly connectMs?: number;
  /** Milliseconds without a byte after which the download is given up. Default 20,000. */
  readonly stallMs?: number;
  /** Bytes per second, over a stretch of `stallMs`, under which the download is given up. Default 0: however slow. */
  readonly minRate?: number;
  /** Takes the state of the download as one line. */
  readonly progress?: (text: string) => void;
}

/** The server sends too slowly; what came is kept. */
export class TooSlowError extends DataError {}

/** Connections in a row that may break without having brought a byte. */
const MAX_FRUITLESS = 3;

/**
 * Downloads `url` into the file `path`, going on from the bytes that `path` already holds.
 *
 * @throws DataError if the server cannot be reached, refuses, falls silent, or breaks off again and again
 */
export async function download(url: string, path: string, options: DownloadOptions = {}): Promise<void> {
  let fruitless = 0;
  while (true) {
    const before = await fileSize(path) ?? 0;
    const outcome = await attempt(url, path, before, options);
    if (outcome === "complete") return;
    fruitless = (await fileSize(path) ?? 0) > before ? 0 : fruitless + 1;
    if (fruitless === MAX_FRUITLESS) throw new DataError(`the connection broke ${MAX_FRUITLESS} times without a byte`);
  }
}

/** One request. "broken": the connection ended early, or the part at hand does not fit; worth another try. */
async function attempt(
  url: string,
  path: string,
  have: number,
  { connectMs = 10_000, stallMs = 20_000, minRate = 0, progress }: DownloadOptions,
): Promise<"complete" | "broken"> {
  const abort = new AbortController();
  const watch = new Watch(abort, connectMs);
  let file: Deno.FsFile | undefined;
  try {
    // "identity": the archive must arrive as it is, also from a server that would take .gz for a transfer encoding.
    const headers: Record<string, string> = { "accept-encoding": "identity" };
    if (have > 0) headers.range = `bytes=${have}-`;
    let response: Response;
    try {
      response = await fetch(url, { headers, signal: abort.signal });
    } catch (error) {
      throw new DataError(watch.expired ? `no answer within ${connectMs / 1000} s` : whyFetchFailed(error));
    }
    const range = /^bytes (?:(\d+)-\d+|\*)\/(\d+)$/.exec(response.headers.get("content-range") ?? "");
    const resumed = response.status === 206 && Number(range?.[1]) === have;
    if (!resumed && response.status !== 200) {
      await response.body?.cancel();
      if (response.status === 416 && Number(range?.[2]) === have) return "complete";
      if (response.status === 416 || response.status === 206) {
        await removeQuietly(path); // what is here is no part of what the server has
        return "broken";
      }
      throw new DataError(`the server answered ${response.status} ${response.statusText}`.trimEnd());
    }
    const start = resumed ? have : 0, length = response.headers.get("content-length");
    const total = length === null ? undefined : start + Number(length);
    file = await openAt(path, start);
    const meter = new Meter(basename(new URL(url).pathname), start, total, progress);
    let windowStart = performance.now(), windowBytes = 0;
    const body = response.body?.getReader();
    while (body) {
      watch.restart(stallMs);
      let step: ReadableStreamReadResult<Uint8Array>;
      try {
        step = await body.read();
      } catch (error) {
        if (watch.expired) throw new DataError(`no byte for ${stallMs / 1000} s, after ${megabytes(meter.have)} MB`);
        if (abort.signal.aborted) throw error;
        return "broken";
      }
      if (step.done) break;
      watch.stop();
      await writeAll(file, step.value).catch((error) => {
        throw fileError("write", path, error);
      });
      meter.add(step.value.length);
      windowBytes += step.value.length;
      const elapsed = performance.now() - windowStart;
      if (elapsed >= stallMs) {
        const rate = windowBytes / elapsed * 1000;
        if (rate < minRate) throw new TooSlowError(`too slow: ${(rate / 1000).toFixed(1)} kB/s`);
        windowStart += elapsed;
        windowBytes = 0;
      }
    }
    return total === undefined || meter.have >= total ? "complete" : "broken";
  } finally {
    watch.stop();
    abort.abort();
    file?.close();
  }
}

/** Opens a file for writing from byte `start`, and cuts off what lies behind. */
async function openAt(path: string, start: number): Promise<Deno.FsFile> {
  try {
    const file = await Deno.open(path, { write: true, create: true });
    await file.truncate(start);
    await file.seek(start, Deno.SeekMode.Start);
    return file;
  } catch (error) {
    throw fileError("write", path, error);
  }
}

/** Aborts when it is not restarted in time. */
class Watch {
  expired = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly abort: AbortController, milliseconds: number) {
    this.restart(milliseconds);
  }

  restart(milliseconds: number): void {
    this.stop();
    this.#timer = setTimeout(() => {
      this.expired = true;
      this.abort.abort();
    }, milliseconds);
  }

  stop(): void {
    clearTimeout(this.#timer);
  }
}

/** Reports how far a download is, at most five times a second. */
class Meter {
  #started = performance.now();
  #reported = -Infinity;

  constructor(
    private readonly name: string,
    public have: number,
    private readonly total: number | undefined,
    private readonly progress: ((text: string) => void) | undefined,
    private readonly first: number = have,
  ) {}

  add(bytes: number): void {
    this.have += bytes;
    const now = performance.now();
    if (now - this.#reported < 200) return;
    this.#reported = now;
    const rate = (this.have - this.first) / Math.max(1e-3, (now - this.#started) / 1000);
    const of = this.total === undefined ? "" : ` of ${megabytes(this.total)}`;
    const left = this.total === undefined ? "" : `, ${Math.ceil((this.total - this.have) / rate)} s left`;
    this.progress?.(`${this.name}: ${megabytes(this.have)}${of} MB, ${megabytes(rate)} MB/s${left}`);
  }
}

const megabytes = (bytes: number) => (bytes / 1e6).toFixed(1);

/** The reason inside what `fetch` throws, in a few words. */
function whyFetchFailed(error: unknown): string {
  if (error instanceof Deno.errors.NotCapable) return "this program was started without permission for the network";
  const text = [error, error instanceof Error ? error.cause ?? "" : ""].map(String).join(" ").trim();
  if (/dns error|lookup address/i.test(text)) return "the host's name cannot be resolved (no network?)";
  if (/refused/i.test(text)) return "connection refused";
  return text.replace(/^.*client error \(Connect\): /, "").slice(0, 200);
}
