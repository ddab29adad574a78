/**
 * The arguments of optimizers: parameters, alone or in groups, and options. All are checked before they are used.
 *
 * @module
 */
import { UsageError } from "../errors.ts";
import {
  checkFlag,
  checkOptions,
  describe,
  f32Amount,
  isF32,
  isPlain,
  must,
  oneOf,
  type Reader,
} from "../ops/options.ts";
import { Tensor } from "../tensor/tensor.ts";

/** A group of parameters with its options; for those that are missing, the optimizer's options hold. */
export type GroupOptions<O> = O & { params: readonly Tensor[] };

/** Parameters, or groups of them. */
export type Params<O> = readonly Tensor[] | readonly GroupOptions<O>[];

/** The options of an optimizer. */
export interface Settings<O> {
  /** The class, for messages. */
  readonly name: string;
  readonly defaults: Required<O>;
  /** The readers of options that are not what their defaults suggest: amounts, flags and pairs of betas. */
  readonly readers?: Readonly<Partial<Record<keyof O, Reader<unknown>>>>;
  /** The words that options take. */
  readonly choices?: Readonly<Partial<Record<keyof O, readonly string[]>>>;
  /** Returns the fault of options that are right by themselves and not together, or null. */
  complaint?(options: Required<O>): string | null;
}

const show = (value: unknown) => Array.isArray(value) ? JSON.stringify(value) : describe(value);

/** A reader of a list of `length` numbers, each of which fits. */
const list = (length: number, fits: (value: unknown) => boolean, rule: string): Reader<readonly number[]> =>
  must((value) => Array.isArray(value) && value.length === length && value.every(fits), rule, show);

/** Reads two betas: the shares of two averages that are kept in a step. */
const betas = list(2, (one) => isF32(one) && one >= 0 && one < 1, "be two numbers from 0 to below 1");

/** Reads three numbers. */
export const threeNumbers = list(3, isF32, "be three numbers that f32 holds");

/** Reads a number from 0 to 1. */
export const share: Reader<number> = must(
  (value) => isF32(value) && value >= 0 && value <= 1,
  "be a number from 0 to 1",
  show,
);

/** Reads a count of steps. */
export const count: Reader<number> = must(
  (value) => Number.isInteger(value) && value as number > 0 && value as number < 1e6,
  "be a whole number from 1 on",
  show,
);

/** Checks the options of a group. */
function check<O extends object>(options: Required<O>, settings: Settings<O>): Required<O> {
  const { name, defaults, readers, choices, complaint } = settings;
  checkOptions(options, defaults as Record<string, unknown>, name, UsageError);
  for (const key of Object.keys(defaults) as (keyof O & string)[]) {
    const example = defaults[key], words = choices?.[key];
    const byDefault = typeof example === "boolean" ? checkFlag : Array.isArray(example) ? betas : f32Amount;
    const read = words ? oneOf(...words) : readers?.[key] ?? byDefault;
    read(options[key], `${name}: ${key}`, UsageError);
  }
  const wrong = complaint?.(options);
  if (wrong) throw new UsageError(`${name}: ${wrong}`);
  return options;
}

/**
 * The groups of an optimizer, each with all of its options.
 *
 * @throws {UsageError} if an option is out of range or unknown, or a parameter is no leaf of f32, or given twice.
 */
export function groupsOf<O extends object>(
  params: Params<O>,
  options: O,
  settings: Settings<O>,
): readonly [params: readonly Tensor[], options: Required<O>][] {
  const { name, defaults } = settings, seen = new Set<Tensor>();
  checkOptions(options, defaults as Record<string, unknown>, name, UsageError);
  return asGroups(params, name).map(({ params, ...chosen }) => {
    for (const param of params) {
      checkParameter(param, name);
      if (seen.has(param)) throw new UsageError(`${name}: a parameter is given twice`);
      seen.add(param);
    }
    return [[...params], check({ ...defaults, ...options, ...chosen as unknown as O }, settings)];
  });
}

function asGroups<O>(params: Params<O>, name: string): readonly GroupOptions<O>[] {
  const expected = "expected an array of tensors, such as model.parameters(), or of groups { params: [...] }";
  if (!Array.isArray(params)) throw new UsageError(`${name}: ${expected}, got ${describe(params)}`);
  if (params.length === 0) throw new UsageError(`${name}: there are no parameters`);
  if (!params.some(isPlain)) return [{ params } as GroupOptions<O>];
  for (const group of params) {
    if (!isPlain(group)) throw new UsageError(`${name}: ${expected}, got ${describe(group)} among groups`);
    if (!Array.isArray(group.params)) {
      throw new UsageError(`${name}: params of a group must be an array of tensors, got ${describe(group.params)}`);
    }
  }
  return params as readonly GroupOptions<O>[];
}

/** Refuses everything that is not a parameter: a leaf of f32. */
export function checkParameter(param: unknown, name: string): void {
  if (!(param instanceof Tensor)) {
    throw new UsageError(`${name}: expected a Tensor as parameter, got ${describe(param)}`);
  }
  if (!param.isLeaf) throw new UsageError(`${name}: a parameter is no leaf: it was computed from other tensors`);
  if (param.dtype !== "f32") throw new UsageError(`${name}: parameters must be f32, got one of ${param.dtype}`);
}
