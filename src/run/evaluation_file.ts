/**
 * `evaluation.json` of a run: the result of its final test. A run writes it; the report reads it.
 *
 * @module
 */
import { parseJson } from "../files/json.ts";
import { DataError } from "../errors.ts";

/** An image that the model got wrong. */
export interface Mistake {
  /** The index of the image in its split. */
  readonly index: number;
  /** The class of the image. */
  readonly label: number;
  /** The class that the model predicted. */
  readonly predicted: number;
  /** The probability that the model gave that class, 0 to 1. */
  readonly probability: number;
  /** The image as a data URI of a PNG file. */
  readonly png: string;
}

/** The content of the file. */
export interface EvaluationFile {
  readonly split: string;
  /** The number of images. */
  readonly images: number;
  /** The mean cross-entropy, in nats. */
  readonly loss: number;
  /** The share of images whose class was predicted, 0 to 1. */
  readonly accuracy: number;
  /** The names of the classes, by label. */
  readonly classes: readonly string[];
  /** The accuracy of each class by label; null for a class without images. */
  readonly perClass: readonly (number | null)[];
  /** `confusion[label][predicted]`: the number of images. */
  readonly confusion: readonly (readonly number[])[];
  /** The most confident mistakes, the most confident first. */
  readonly mistakes: readonly Mistake[];
}

/**
 * Parses the content of a file.
 *
 * @param where the file's name, for the error.
 * @throws {DataError} if the text is something else.
 */
export function evaluationFromJson(text: string, where: string): EvaluationFile {
  let value: unknown;
  try {
    value = parseJson(text);
  } catch {
    throw new DataError(`${where} is not JSON: remove it, and test the weights again`);
  }
  if (!isEvaluation(value)) {
    throw new DataError(`${where} is no result of a test: remove it, and test the weights again`);
  }
  return value;
}

function isEvaluation(value: unknown): value is EvaluationFile {
  if (typeof value !== "object" || value === null) return false;
  const { split, images, loss, accuracy, classes, perClass, confusion, mistakes } = value as Record<string, unknown>;
  const isList = (list: unknown, item: (one: unknown) => boolean, length?: number) =>
    Array.isArray(list) && (length === undefined || list.length === length) && list.every(item);
  const isNumber = (one: unknown) => typeof one === "number" && Number.isFinite(one);
  const isText = (one: unknown) => typeof one === "string";
  if (!isText(split) || ![images, loss, accuracy].every(isNumber) || !isList(classes, isText)) return false;
  const { length } = classes as string[];
  const isLabel = (one: unknown) => Number.isInteger(one) && Number(one) >= 0 && Number(one) < length;
  return isList(perClass, (one) => one === null || isNumber(one), length) &&
    isList(confusion, (row) => isList(row, isNumber, length), length) &&
    isList(mistakes, (one) => {
      const { index, label, predicted, probability, png } = (one ?? {}) as Record<string, unknown>;
      return [index, probability].every(isNumber) && [label, predicted].every(isLabel) &&
        typeof png === "string" && /^data:image\/png;base64,[\w+/=]*$/.test(png);
    });
}
