/**
 * The record reader: bytes in, batches of records out, one pass, in memory that does not depend on the length of the
 * stream. It checks what it reads: a stream that ends inside a record, or a label that is no class, is one `DataError`
 * with the file and the byte offset. Where the bytes come from (file, archive, generator) is the caller's business.
 *
 * @module
 */
import { DataError } from "../errors.ts";
import type { RgbImage } from "../image/pixels.ts";
import { recordBytes, type RecordLayout } from "./cifar.ts";

/** Consecutive records, pixels apart from labels. The arrays belong to whoever receives the batch. */
export interface Batch {
  /** How many records. */
  readonly count: number;
  /** Labels, [count]; the fine ones where there are two. */
  readonly labels: Uint8Array<ArrayBuffer>;
  /** Pixels, [count * C * H * W]: image by image, planes R, G, B, rows downwards. */
  readonly pixels: Uint8Array<ArrayBuffer>;
  /** Coarse labels, [count], in layouts that have them. */
  readonly coarse?: Uint8Array<ArrayBuffer>;
}

/** Options of `readRecords`. */
export interface ReadOptions {
  /** Records in each batch (the last may have fewer). Default 256. */
  readonly batchSize?: number;
}

/**
 * Reads records from a stream of chunks of any lengths, and yields them in batches, in order.
 *
 * It holds one batch and one chunk at a time, and asks for the next chunk only when it has used the last.
 *
 * @param source the bytes of one file
 * @param layout how a record is laid out
 * @param file the file's name, for errors
 * @throws DataError if a label is out of range, or the stream ends inside a record
 */
export async function* readRecords(
  source: AsyncIterable<Uint8Array>,
  layout: RecordLayout,
  file: string,
  { batchSize = 256 }: ReadOptions = {},
): AsyncGenerator<Batch, void, void> {
  const size = recordBytes(layout), labelCount = layout.labels.length, pixelCount = size - labelCount;
  let batch = new BatchBuffer(batchSize, pixelCount, labelCount);
  let offset = 0; // of the next byte, in the file
  let at = 0; // of the next byte, in its record
  for await (const chunk of source) {
    let position = 0;
    while (position < chunk.length) {
      if (at < labelCount) {
        const label = layout.labels[at]!, value = chunk[position]!;
        if (value >= label.classes) {
          throw new DataError(
            `${file}: byte ${offset}: ${label.name} ${value} is out of range: ` +
              `${layout.name} labels go from 0 to ${
                label.classes - 1
              }. The file is damaged, or is no ${layout.name} file`,
          );
        }
        batch.labels[at]![batch.count] = value;
        position++;
        offset++;
        at++;
      } else {
        const length = Math.min(size - at, chunk.length - position);
        const target = batch.count * pixelCount + at - labelCount;
        batch.pixels.set(chunk.subarray(position, position + length), target);
        position += length;
        offset += length;
        at += length;
      }
      if (at === size) {
        at = 0;
        batch.count++;
        if (batch.count === batchSize) {
          yield batch.finish();
          batch = new BatchBuffer(batchSize, pixelCount, labelCount);
        }
      }
    }
  }
  if (at > 0) throw incompleteRecord(file, offset, layout);
  if (batch.count > 0) yield batch.finish();
}

/** The error of a file of `bytes` bytes that is no whole number of records: it names where the incomplete one starts. */
export function incompleteRecord(file: string, bytes: number, layout: RecordLayout): DataError {
  const size = recordBytes(layout), rest = bytes % size;
  return new DataError(
    `${file}: byte ${bytes - rest}: the last record is incomplete: ${rest} of ${size} bytes. ` +
      `The file is truncated, or is no ${layout.name} file`,
  );
}

/**
 * Image `index` of a batch of RGB records, with its channels interleaved. The pixels of a record are not normalised, so
 * there is nothing to undo.
 *
 * @throws {RangeError} if the shape is not that of an RGB image, or the batch has no such image.
 */
export function imageOf(batch: Batch, index: number, shape: readonly [number, number, number]): RgbImage {
  const [channels, height, width] = shape, pixels = height * width;
  if (channels !== 3) throw new RangeError(`an RGB image has 3 channels, not ${channels}`);
  if (!(index >= 0 && index < batch.count)) throw new RangeError(`no image ${index} in a batch of ${batch.count}`);
  const planes = batch.pixels.subarray(index * 3 * pixels, (index + 1) * 3 * pixels);
  const data = new Uint8Array(3 * pixels);
  for (let i = 0; i < pixels; i++) {
    for (let channel = 0; channel < 3; channel++) data[3 * i + channel] = planes[channel * pixels + i]!;
  }
  return { width, height, data };
}

/** A batch being filled. */
class BatchBuffer {
  count = 0;
  readonly pixels: Uint8Array<ArrayBuffer>;
  readonly labels: Uint8Array<ArrayBuffer>[];

  constructor(capacity: number, private readonly pixelCount: number, labelCount: number) {
    this.pixels = new Uint8Array(capacity * pixelCount);
    this.labels = Array.from({ length: labelCount }, () => new Uint8Array(capacity));
  }

  finish(): Batch {
    const { count } = this;
    const labels = this.labels.map((column) => column.subarray(0, count));
    const base = { count, labels: labels.at(-1)!, pixels: this.pixels.subarray(0, count * this.pixelCount) };
    return labels.length > 1 ? { ...base, coarse: labels[0]! } : base;
  }
}
