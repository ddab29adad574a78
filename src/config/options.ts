/**
 * Options by name, as `--opt name=value` gives them: read by the types of their defaults.
 *
 * @module
 */
import { UsageError } from "../errors.ts";
import type { OptionValue } from "../ops/options.ts";
import { didYouMean, numberOf } from "./setting.ts";

/**
 * Reads `name=value` texts; numbers of a list have commas between them. Names may be written `weightDecay`, `weight_decay` or `weight-decay`.
 *
 * @param defaults the options that there are, with the values that they have otherwise.
 * @param what whose options they are, for the errors: "--opt: adam".
 * @throws {UsageError} naming the text that cannot be read, or the option that is unknown or given twice.
 */
export function readOptions(
  texts: readonly string[],
  defaults: Readonly<Record<string, OptionValue>>,
  what: string,
): Record<string, OptionValue> {
  const found: Record<string, OptionValue> = {}, names = Object.keys(defaults);
  for (const text of texts) {
    const [, written = "", value = ""] = /^([^=]*)=(.*)$/.exec(text) ?? [];
    if (written === "" || value === "") throw new UsageError(`${what}: ${JSON.stringify(text)} is not name=value`);
    const name = written.replace(/[-_](.)/g, (_, letter: string) => letter.toUpperCase());
    if (!Object.hasOwn(defaults, name)) {
      const known = names.length > 0 ? `there are ${names.join(", ")}` : "there are none";
      throw new UsageError(`${what} has no option ${JSON.stringify(written)}${didYouMean(name, names)}: ${known}`);
    }
    if (Object.hasOwn(found, name)) throw new UsageError(`${what}: ${name} is given twice`);
    const read = readValue(value, defaults[name]!);
    if (read === undefined) {
      throw new UsageError(`${what}: ${name} is ${JSON.stringify(value)}, not ${kindOf(defaults[name]!)}`);
    }
    found[name] = read;
  }
  return found;
}

function readValue(text: string, like: OptionValue): OptionValue | undefined {
  if (typeof like === "boolean") return text === "true" ? true : text === "false" ? false : undefined;
  if (typeof like === "string") return text;
  const numbers = text.split(",").map(numberOf);
  if (!numbers.every(Number.isFinite)) return undefined;
  if (typeof like === "number") return numbers.length === 1 ? numbers[0] : undefined;
  return numbers;
}

function kindOf(like: OptionValue): string {
  if (typeof like === "boolean") return "true or false";
  return typeof like === "number" ? "a number" : "numbers with commas between them";
}
