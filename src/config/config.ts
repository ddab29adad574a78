/**
 * The configuration of a training run, and `config.json`: reading, checking and writing them. The checks here need neither
 * the data nor the GPU.
 *
 * @module
 */
import { printable, quote } from "../foreign_text.ts";
import { parseJson } from "../files/json.ts";
import { fileError } from "../files/file_error.ts";
import { UsageError } from "../errors.ts";
import { camelCase, complaint, defaultOf, didYouMean, type Setting } from "./setting.ts";
import { type GivenConfig, type RunConfig, SETTINGS } from "./settings.ts";
import { checkUpdate, isOfOptimizer, optimizerSettings } from "./update.ts";

/**
 * A checked configuration: the given settings, and defaults for the others.
 *
 * @throws {UsageError} naming the setting, its value and what it must be.
 */
export function makeConfig(given: GivenConfig = {}): RunConfig {
  return fromRecord(given, "run configuration");
}

/** The content of `config.json`: every setting that has a value, in the order of the table. */
export function configToJson(config: RunConfig): string {
  const entries = SETTINGS.map(({ name }) => [camelCase(name), config[camelCase(name) as keyof RunConfig]]);
  return JSON.stringify(Object.fromEntries(entries), null, 2) + "\n";
}

/**
 * Reads the `config.json` of a run, for another run like it.
 *
 * @param given settings that replace the file's. Another optimizer or schedule starts from its defaults.
 * @returns settings for `makeConfig()`, without the name of the run.
 * @throws {UsageError} if the file cannot be read or used.
 */
export async function readConfig(path: string, given: GivenConfig): Promise<GivenConfig> {
  let text: string;
  try {
    text = await Deno.readTextFile(path);
  } catch (error) {
    throw new UsageError(fileError("read", path, error).message);
  }
  const { name: _, ...config } = configFromJson(text, path);
  const other = (key: "optimizer" | "schedule") => given[key] !== undefined && given[key] !== config[key];
  const dropped = (key: string) => (other("optimizer") && isOfOptimizer(key)) || (other("schedule") && key === "sched");
  return { ...Object.fromEntries(Object.entries(config).filter(([key]) => !dropped(key))), ...given };
}

/**
 * Reads the content of a `config.json`. A missing key takes its default; an unknown key is refused.
 *
 * @param where the file's name, for the errors.
 * @throws {UsageError} if it is no JSON object, or a key or value cannot be used.
 */
export function configFromJson(text: string, where: string): RunConfig {
  let value: unknown;
  try {
    value = parseJson(text);
  } catch (error) {
    throw new UsageError(`${where} is not JSON: ${(error as Error).message}`);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new UsageError(`${where} must hold one JSON object of settings`);
  }
  return fromRecord(value as Record<string, unknown>, where);
}

function fromRecord(given: Readonly<Record<string, unknown>>, where: string): RunConfig {
  const keys = SETTINGS.map(({ name }) => camelCase(name));
  for (const key of Object.keys(given)) {
    if (!keys.includes(key)) {
      throw new UsageError(`${where}: unknown setting ${quote(key)}${didYouMean(key, keys)}`);
    }
  }
  const config: Record<string, unknown> = {};
  for (const setting of SETTINGS as readonly Setting[]) {
    const key = camelCase(setting.name);
    const value = given[key] ?? defaultOf(setting);
    const must = value === undefined ? undefined : complaint(setting, value);
    if (must !== undefined) throw new UsageError(`${where}: ${key} is ${shown(value)}, not ${must}`);
    config[key] = value;
  }
  Object.assign(config, optimizerSettings(config as RunConfig));
  checkTogether(config as RunConfig);
  return config as RunConfig;
}

/** JSON, but for numbers: JSON would print NaN as null. */
function shown(value: unknown): string {
  return typeof value === "number" ? String(value) : printable(JSON.stringify(value) ?? typeof value, 80);
}

/** Names of devices on Windows, also with an ending. */
const RESERVED = /^(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$)[ .]*(\..*)?$/i;

/** The checks that a single row of the table cannot express. */
function checkTogether(config: RunConfig): void {
  checkUpdate(config);
  const { name, batchSize, accumulate } = config;
  if (batchSize * accumulate >= 2 ** 32) {
    throw new UsageError(`a step of ${batchSize} x ${accumulate} images is too large: use fewer than 2^32`);
  }
  if (name !== undefined && RESERVED.test(name)) {
    throw new UsageError(`name ${quote(name)} cannot name a folder everywhere: Windows has a device of that name`);
  }
  if (
    name !== undefined && (!/^[\p{L}\p{N}][\p{L}\p{N} ._-]*$/u.test(name) || /[ .]$/.test(name) || name.length > 100)
  ) {
    throw new UsageError(
      `name ${quote(name)} cannot name a folder everywhere: ` +
        `use up to 100 letters, digits, and ". _ -" or spaces inside`,
    );
  }
}
