/**
 * ONNX files as bytes: a graph of named operators whose weights are in the file. Field numbers are those of ONNX's own
 * `onnx.proto`. What is written is `ir_version` 8 and operators of opset 17, which every runtime since 2022 knows.
 *
 * @module
 */
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { WeightsError } from "../errors.ts";

/** The versions of the file's form and of its operators. */
export const IR_VERSION = 8, OPSET = 17;

/** An extent of a tensor: a number, or the name of one that is known when the graph is run. */
export type OnnxExtent = number | string;

/** A tensor's name, type float32 and shape, as the graph takes and gives it. */
export interface OnnxPort {
  readonly name: string;
  readonly shape: readonly OnnxExtent[];
  /** What a reader should know of it. */
  readonly text?: string;
}

/** The elements of an initializer: float32, or int64 for what operators take as shapes and axes. */
export interface OnnxTensor {
  readonly shape: readonly number[];
  readonly data: Float32Array | BigInt64Array;
}

/** What an operator's attribute holds. A number and an array of numbers are integers. */
export type OnnxAttribute = number | readonly number[] | { readonly float: number } | { readonly text: string };

/** An operator. */
export interface OnnxNode {
  readonly name: string;
  /** Its kind: "Conv". */
  readonly op: string;
  /** Names of tensors; "" for an optional one that is left out. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Readonly<Record<string, OnnxAttribute>>;
}

/** A graph with what the file says about it. */
export interface OnnxModel {
  readonly name: string;
  /** Who made the file, and that program's version. */
  readonly producer: readonly [name: string, version: string];
  readonly inputs: readonly OnnxPort[];
  readonly outputs: readonly OnnxPort[];
  /** In an order in which they can be run. */
  readonly nodes: readonly OnnxNode[];
  readonly initializers: ReadonlyMap<string, OnnxTensor>;
  /** Free texts by key. */
  readonly metadata: Readonly<Record<string, string>>;
}

// ONNX's numbers for the types of elements and of attributes.
const FLOAT = 1, INT64 = 7;
const KINDS = { float: 1, int: 2, text: 3, ints: 7 };

/** What protobuf's readers take at most, less room for all but the weights. */
const MOST_BYTES = 2 ** 31 - 2 ** 24;

/**
 * The bytes of an ONNX file.
 *
 * @throws {WeightsError} where the weights are more than the 2 GiB that such a file holds.
 */
export function encodeOnnx(model: OnnxModel): Uint8Array<ArrayBuffer> {
  const bytes = [...model.initializers.values()].reduce((sum, { data }) => sum + data.byteLength, 0);
  if (bytes > MOST_BYTES) {
    throw new WeightsError(`${model.name} has ${bytes} bytes of weights, and an ONNX file holds less than 2 GiB`);
  }
  const writer = new Writer();
  writer.int(1, IR_VERSION).text(2, model.producer[0]).text(3, model.producer[1]);
  writer.message(7, () => writeGraph(writer, model));
  writer.message(8, () => writer.text(1, "").int(2, OPSET));
  for (const [key, value] of Object.entries(model.metadata)) {
    writer.message(14, () => writer.text(1, key).text(2, value));
  }
  return writer.finish();
}

function writeGraph(writer: Writer, { name, nodes, initializers, inputs, outputs }: OnnxModel): void {
  for (const node of nodes) writer.message(1, () => writeNode(writer, node));
  writer.text(2, name);
  for (const [name, tensor] of initializers) writer.message(5, () => writeTensor(writer, name, tensor));
  for (const port of inputs) writer.message(11, () => writePort(writer, port));
  for (const port of outputs) writer.message(12, () => writePort(writer, port));
}

function writeNode(writer: Writer, { name, op, inputs, outputs, attributes }: OnnxNode): void {
  for (const input of inputs) writer.text(1, input);
  for (const output of outputs) writer.text(2, output);
  writer.text(3, name).text(4, op);
  for (const [key, value] of Object.entries(attributes)) {
    writer.message(5, () => writeAttribute(writer.text(1, key), value));
  }
}

function writeAttribute(writer: Writer, value: OnnxAttribute): void {
  if (typeof value === "number") writer.int(3, value).int(20, KINDS.int);
  else if ("float" in value) writer.float(2, value.float).int(20, KINDS.float);
  else if ("text" in value) writer.text(4, value.text).int(20, KINDS.text);
  else {
    for (const one of value) writer.int(8, one);
    writer.int(20, KINDS.ints);
  }
}

function writeTensor(writer: Writer, name: string, { shape, data }: OnnxTensor): void {
  for (const extent of shape) writer.int(1, extent);
  writer.int(2, data instanceof Float32Array ? FLOAT : INT64).text(8, name);
  writer.bytes(9, new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
}

function writePort(writer: Writer, { name, shape, text }: OnnxPort): void {
  writer.text(1, name);
  writer.message(2, () =>
    writer.message(1, () =>
      writer.int(1, FLOAT).message(2, () => {
        for (const extent of shape) {
          writer.message(1, () => typeof extent === "number" ? writer.int(1, extent) : writer.text(2, extent));
        }
      })));
  if (text !== undefined) writer.text(3, text);
}

/** Fields by number, each with the tag that its type has. */
class Writer {
  readonly #wire = new BinaryWriter();

  int(field: number, value: number): this {
    this.#wire.tag(field, WireType.Varint).int64(value);
    return this;
  }

  float(field: number, value: number): this {
    // The library refuses a double whose rounding to float32 it would have to do.
    this.#wire.tag(field, WireType.Bit32).float(Math.fround(value));
    return this;
  }

  text(field: number, value: string): this {
    this.#wire.tag(field, WireType.LengthDelimited).string(value);
    return this;
  }

  bytes(field: number, value: Uint8Array): this {
    this.#wire.tag(field, WireType.LengthDelimited).bytes(value);
    return this;
  }

  message(field: number, body: () => void): this {
    this.#wire.tag(field, WireType.LengthDelimited).fork();
    body();
    this.#wire.join();
    return this;
  }

  finish(): Uint8Array<ArrayBuffer> {
    return this.#wire.finish();
  }
}
