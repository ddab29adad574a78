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

/** Some weights of a run. */
export interface RunWeights {
  /** "best": those with the smallest loss in validation. "last": those of the last step. */
  readonly weights: "best" | "last";
  /** The epoch, from 1, and the step after which the run had them. */
  readonly epoch: number;
  readonly step: number;
  /** Whether they are the averages of `--ema`. */
  readonly averaged: boolean;
  /** Their validation; null if they were not validated. */
  readonly validation: Validation | null;
}

/** The result of a validation. */
export interface Validation {
  /** The number of images that are held out of training. */
  readonly images: number;
  /** The mean cross-entropy, in nats. */
  readonly loss: number;
  /** The share of images whose class was predicted, 0 to 1. */
  readonly accuracy: number;
}

/** The result of testing some weights of a run. */
export interface WeightsResult extends RunWeights {
  /** Whether they are the run's `model.safetensors`. */
  readonly saved: boolean;
  /** The name of the data set, the split, and the number of its images. */
  readonly data: string;
  readonly split: string;
  readonly images: number;
  /** The mean cross-entropy, in nats. */
  readonly loss: number;
  /** The share of images whose class was predicted, 0 to 1. */
  readonly accuracy: number;
}

/** The content of the file: the result of the weights that the run has saved. */
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
  /** The most confident mistakes, at most three of each pair of classes; the most confident first. */
  readonly mistakes: readonly Mistake[];
  /**
   * Each of the weights that were tested: first those that are saved, whose loss and accuracy are those above, then the last
   * ones or the best ones, if they are others. Missing in files of older versions.
   */
  readonly results?: readonly WeightsResult[];
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
  const { split, images, loss, accuracy, classes, perClass, confusion, mistakes, results = [] } = value as Record<
    string,
    unknown
  >;
  const isList = (list: unknown, item: (one: unknown) => boolean, length?: number) =>
    Array.isArray(list) && (length === undefined || list.length === length) && list.every(item);
  const isNumber = (one: unknown) => typeof one === "number" && Number.isFinite(one);
  const isText = (one: unknown) => typeof one === "string";
  if (!isText(split) || ![images, loss, accuracy].every(isNumber) || !isList(classes, isText)) return false;
  const { length } = classes as string[];
  const isLabel = (one: unknown) => Number.isInteger(one) && Number(one) >= 0 && Number(one) < length;
  const isResult = (one: unknown) => {
    const { weights, data, split, validation, ...rest } = (one ?? {}) as Partial<WeightsResult>;
    const { epoch, step, images, loss, accuracy } = rest;
    return (weights === "best" || weights === "last") && isText(data) && isText(split) &&
      [epoch, step, images, loss, accuracy].every(isNumber) &&
      (validation === null || [validation?.images, validation?.loss, validation?.accuracy].every(isNumber));
  };
  return isList(results, isResult) && isList(perClass, (one) => one === null || isNumber(one), length) &&
    isList(confusion, (row) => isList(row, isNumber, length), length) &&
    isList(mistakes, (one) => {
      const { index, label, predicted, probability, png } = (one ?? {}) as Record<string, unknown>;
      return [index, probability].every(isNumber) && [label, predicted].every(isLabel) &&
        typeof png === "string" && /^data:image\/png;base64,[\w+/=]*$/.test(png);
    });
}
