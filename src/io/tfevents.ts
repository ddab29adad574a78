/**
 * Encodes events for TensorBoard: scalars (float32), images (PNG), histograms and texts. They have the same form as those
 * of PyTorch's `SummaryWriter`, which every version of TensorBoard can read.
 *
 * The field numbers are those of TensorFlow's `event.proto`, `summary.proto` and `tensor.proto`.
 *
 * @module
 */
import { BinaryWriter, WireType } from "npm:@bufbuild/protobuf@2.17.0/wire";
import type { Histogram } from "./histogram.ts";

/** One value of a summary. */
export type SummaryValue =
  & {
    /** The name of its chart. The part before the first slash is the group. */
    readonly tag: string;
  }
  & (
    /** Stored as a float32. */
    | { readonly scalar: number }
    /** The bytes of a PNG file. */
    | { readonly png: Uint8Array }
    | { readonly histogram: Histogram }
    /** Markdown. */
    | { readonly text: string }
  );

/** An event. */
export type Event =
  & {
    /** Seconds since 1970. */
    readonly wallTime: number;
    /** The number of steps done. */
    readonly step: number;
  }
  & (
    /** The first event of each file. */
    | { readonly kind: "version" }
    /** A session starts: earlier events with this step or a later one are no longer valid. */
    | { readonly kind: "start" }
    | { readonly kind: "values"; readonly values: readonly SummaryValue[] }
  );

/** TensorFlow's status code for the start of a session. */
const SESSION_START = 1;
/** TensorFlow's type number for strings. */
const DT_STRING = 7;

/** Encodes an event. `encodeRecord()` makes a record of it for a file. */
export function encodeEvent(event: Event): Uint8Array<ArrayBuffer> {
  const writer = new BinaryWriter();
  writer.tag(1, WireType.Bit64).double(event.wallTime);
  writer.tag(2, WireType.Varint).int64(event.step);
  switch (event.kind) {
    case "version":
      writer.tag(3, WireType.LengthDelimited).string("brain.Event:2");
      break;
    case "start":
      message(writer, 7, () => writer.tag(1, WireType.Varint).int32(SESSION_START));
      break;
    case "values":
      message(writer, 5, () => event.values.forEach((value) => message(writer, 1, () => writeValue(writer, value))));
  }
  return writer.finish();
}

function writeValue(writer: BinaryWriter, value: SummaryValue): void {
  writer.tag(1, WireType.LengthDelimited).string(value.tag);
  if ("scalar" in value) {
    // The writer accepts only numbers that are exact in float32.
    writer.tag(2, WireType.Bit32).float(Math.fround(value.scalar));
  } else if ("png" in value) message(writer, 4, () => writeImage(writer, value.png));
  else if ("histogram" in value) message(writer, 5, () => writeHistogram(writer, value.histogram));
  else writeText(writer, value.text);
}

/** Size and channels are read from the PNG's header, where they are at fixed offsets. */
function writeImage(writer: BinaryWriter, png: Uint8Array): void {
  const view = new DataView(png.buffer, png.byteOffset), channels = [1, 0, 3, 3, 2, 0, 4][view.getUint8(25)]!;
  writer.tag(1, WireType.Varint).int32(view.getUint32(20));
  writer.tag(2, WireType.Varint).int32(view.getUint32(16));
  writer.tag(3, WireType.Varint).int32(channels);
  writer.tag(4, WireType.LengthDelimited).bytes(png);
}

function writeHistogram(writer: BinaryWriter, { min, max, count, sum, sumOfSquares, limits, counts }: Histogram): void {
  [min, max, count, sum, sumOfSquares].forEach((value, i) => writer.tag(i + 1, WireType.Bit64).double(value));
  [limits, counts].forEach((values, i) =>
    message(writer, i + 6, () => values.forEach((value) => writer.double(value)))
  );
}

/** Writes a text: a tensor with one string, and the name of the plugin that shows it. */
function writeText(writer: BinaryWriter, text: string): void {
  message(writer, 9, () => message(writer, 1, () => writer.tag(1, WireType.LengthDelimited).string("text")));
  message(writer, 8, () => {
    writer.tag(1, WireType.Varint).int32(DT_STRING);
    message(writer, 2, () => message(writer, 2, () => writer.tag(1, WireType.Varint).int64(1)));
    writer.tag(8, WireType.LengthDelimited).string(text);
  });
}

/** Writes a field that is a message or packed numbers: the length, then what `body` writes. */
function message(writer: BinaryWriter, field: number, body: () => void): void {
  writer.tag(field, WireType.LengthDelimited).fork();
  body();
  writer.join();
}
