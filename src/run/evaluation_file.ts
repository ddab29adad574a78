/**
 * `evaluation.json` of a run: what its final test found. The trainer writes it; the report reads it.
 *
 * @module
 */
import { DataError } from "../errors.ts";

/** An image that the model was wrong about. */
export interface Mistake {
  /** Which image of the split, from 0. */
  readonly index: number;
  /** What it is. */
  readonly label: number;
  /** What the model took it for. */
  readonly predicted: number;
  /** How sure it was, 0 to 1. */
  readonly probability: number;
  /** The image as a data URI of a PNG file. */
  readonly png: string;
}

/** The content of the file. */
export interface EvaluationFile {
  readonly split: string;
  /** How many images. */
  readonly images: number;
  /** The mean cross-entropy, in nats. */
  readonly loss: number;
  /** The share of images whose most likely class is their own, 0 to 1. */
  readonly accuracy: number;
  /** Names by label. */
  readonly classes: readonly string[];
  /** The accuracy of each class by label; null for a class without images. */
  readonly perClass: readonly (number | null)[];
  /** confusion[label][predicted]: how many images. */
  readonly confusion: readonly (readonly number[])[];
  /** The most confident ones first. */
  readonly mistakes: readonly Mistake[];
}

/**
 * Reads the content of a file.
 *
 * @param where the file's name, for the error.
 * @throws {DataError} if it is something else.
 */
export function evaluationFromJson(text: string, where: string): EvaluationFile {
  let value: unknown;
  try {
    value = JSON.parse(text);
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
