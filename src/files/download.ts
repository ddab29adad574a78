/**
 * Downloads a file over HTTP. A download that was interrupted is resumed: the bytes that have arrived stay in the file, and the
 * next try requests only the rest. A download that stalls, or is too slow, ends with an error, so that the caller can try another source.
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
  /** Milliseconds to wait for the server's response. Default 10,000. */
  readonly connectMs?: number;
  /** Stop after this many milliseconds without a byte. Default 20,000. */
  readonly stallMs?: number;
  /** Stop if the rate over `stallMs` is lower than this, in bytes per second. Default 0: never. */
  readonly minRate?: number;
  /** Called with the progress as one line. */
  readonly progress?: (text: string) => void;
}

/** The download was slower than `minRate`. The bytes that have arrived are kept. */
export class TooSlowError extends DataError {}

/** Stop after this many connections in a row that broke without a new byte. */
const MAX_EMPTY_TRIES = 3;

/**
 * Downloads `url` into the file `path`. If the file has some bytes already, only the rest is requested.
 *
 * @throws {DataError} if the server cannot be reached, refuses, stalls, or breaks the connection again and again
 */
export async function download(url: string, path: string, options: DownloadOptions = {}): Promise<void> {
  let emptyTries = 0;
  while (true) {
    const before = await fileSize(path) ?? 0;
    const outcome = await attempt(url, path, before, options);
    if (outcome === "complete") return;
    emptyTries = (await fileSize(path) ?? 0) > before ? 0 : emptyTries + 1;
    if (emptyTries === MAX_EMPTY_TRIES) {
      throw new DataError(`the connection broke ${MAX_EMPTY_TRIES} times without a byte`);
    }
  }
}

/** One request. @returns "broken" if another try is worthwhile: the connection ended early, or the bytes in the file are wrong. */
async function attempt(
  url: string,
  path: string,
  have: number,
  { connectMs = 10_000, stallMs = 20_000, minRate = 0, progress }: DownloadOptions,
): Promise<"complete" | "broken"> {
  const abort = new AbortController();
  const watch = new Watchdog(abort, connectMs);
  let file: Deno.FsFile | undefined;
  try {
    // "identity", because some servers treat .gz as a transfer encoding, and the client would then unpack the archive.
    const headers: Record<string, string> = { "accept-encoding": "identity" };
    if (have > 0) headers.range = `bytes=${have}-`;
    let response: Response;
    try {
      response = await fetch(url, { headers, signal: abort.signal });
    } catch (error) {
      throw new DataError(watch.expired ? `no response within ${connectMs / 1000} s` : whyFetchFailed(error));
    }
    const range = /^bytes (?:(\d+)-\d+|\*)\/(\d+)$/.exec(response.headers.get("content-range") ?? "");
    const resumed = response.status === 206 && Number(range?.[1]) === have;
    if (!resumed && response.status !== 200) {
      await response.body?.cancel();
      if (response.status === 416 && Number(range?.[2]) === have) return "complete";
      if (response.status === 416 || response.status === 206) {
        await removeQuietly(path); // These bytes are not the start of the file on the server.
        return "broken";
      }
      throw new DataError(`the server responded ${response.status} ${response.statusText}`.trimEnd());
    }
    const start = resumed ? have : 0, length = response.headers.get("content-length");
    const total = length === null ? undefined : start + Number(length);
    file = await openAt(path, start);
    const meter = new ProgressMeter(basename(new URL(url).pathname), start, total, progress);
    let windowStart = performance.now(), windowBytes = 0;
    const body = response.body?.getReader();
    while (body) {
      watch.restart(stallMs);
      let step: ReadableStreamReadResult<Uint8Array>;
      try {
        step = await body.read();
      } catch (error) {
        if (watch.expired) {
          throw new DataError(`received nothing for ${stallMs / 1000} s, after ${megabytes(meter.have)} MB`);
        }
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

/** Opens a file for writing at byte `start`, and removes the bytes from there on. */
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

/** Aborts a request unless it is restarted in time. */
class Watchdog {
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

/** Reports the progress of a download, at most five times per second. */
class ProgressMeter {
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

/** The reason for an error of `fetch()`, in a few words. */
function whyFetchFailed(error: unknown): string {
  if (error instanceof Deno.errors.NotCapable) return "this program was started without permission for the network";
  const text = [error, error instanceof Error ? error.cause ?? "" : ""].map(String).join(" ").trim();
  if (/dns error|lookup address/i.test(text)) return "the host name cannot be resolved (no network?)";
  if (/refused/i.test(text)) return "connection refused";
  return text.replace(/^.*client error \(Connect\): /, "").slice(0, 200);
}
