/**
 * Reads records from a stream of bytes, and returns them in batches. It makes one pass, in memory that does not depend on
 * the length of the stream. If the stream ends inside a record, or a label is out of range, it throws a `DataError` with
 * the file and the byte offset. The caller supplies the bytes: from a file, an archive or a generator.
 *
 * @module
 */
import { DataError } from "../errors.ts";
import type { RgbImage } from "../image/pixels.ts";
import { recordBytes, type RecordLayout } from "./cifar.ts";

/** Consecutive records. The receiver of a batch owns its arrays. */
export interface Batch {
  /** The number of records. */
  readonly count: number;
  /** Labels, [count]; the fine labels if there are two per record. */
  readonly labels: Uint8Array<ArrayBuffer>;
  /** Pixels, [count, C, H, W]: values from 0 to 255, channels in the order R, G, B. */
  readonly pixels: Uint8Array<ArrayBuffer>;
  /** Coarse labels, [count], if the layout has them. */
  readonly coarse?: Uint8Array<ArrayBuffer>;
}

/** Options of `readRecords`. */
export interface ReadOptions {
  /** Records in each batch (the last may have fewer). Default 256. */
  readonly batchSize?: number;
}

/**
 * Reads records from a stream of chunks of any length, and yields them in batches, in order. Only one batch and one chunk
 * are in memory at a time.
 *
 * @param source the bytes of one file
 * @param layout the layout of a record
 * @param file the file's name, for errors
 * @throws {DataError} if a label is out of range, or the stream ends inside a record
 */
export async function* readRecords(
  source: AsyncIterable<Uint8Array>,
  layout: RecordLayout,
  file: string,
  { batchSize = 256 }: ReadOptions = {},
): AsyncGenerator<Batch, void, void> {
  const size = recordBytes(layout), labelCount = layout.labels.length, pixelCount = size - labelCount;
  let batch = new BatchBuffer(batchSize, pixelCount, labelCount);
  let offset = 0; // of the next byte in the file
  let inRecord = 0; // offset of the next byte in its record
  for await (const chunk of source) {
    let position = 0;
    while (position < chunk.length) {
      if (inRecord < labelCount) {
        const label = layout.labels[inRecord]!, value = chunk[position]!;
        if (value >= label.classes) {
          throw new DataError(
            `${file}: byte ${offset}: ${label.name} ${value} is out of range: ` +
              `${layout.name} labels go from 0 to ${
                label.classes - 1
              }. The file is damaged, or is not a ${layout.name} file`,
          );
        }
        batch.labels[inRecord]![batch.count] = value;
        position++;
        offset++;
        inRecord++;
      } else {
        const length = Math.min(size - inRecord, chunk.length - position);
        const target = batch.count * pixelCount + inRecord - labelCount;
        batch.pixels.set(chunk.subarray(position, position + length), target);
        position += length;
        offset += length;
        inRecord += length;
      }
      if (inRecord === size) {
        inRecord = 0;
        batch.count++;
        if (batch.count === batchSize) {
          yield batch.finish();
          batch = new BatchBuffer(batchSize, pixelCount, labelCount);
        }
      }
    }
  }
  if (inRecord > 0) throw incompleteRecord(file, offset, layout);
  if (batch.count > 0) yield batch.finish();
}

/** The error for a file whose last record is incomplete. It gives the offset at which that record starts. */
export function incompleteRecord(file: string, bytes: number, layout: RecordLayout): DataError {
  const size = recordBytes(layout), remainder = bytes % size;
  return new DataError(
    `${file}: byte ${bytes - remainder}: the last record is incomplete: ${remainder} of ${size} bytes. ` +
      `The file is truncated, or is not a ${layout.name} file`,
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

/** A batch that is being filled. */
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
