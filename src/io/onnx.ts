/**
 * Encodes ONNX files: a graph of named operators, with the weights in the same file. The field numbers are those of
 * `onnx.proto`. Files have `ir_version` 8 and use the operators of opset 17, which every runtime since 2022 supports.
 *
 * @module
 */
import { BinaryWriter, WireType } from "npm:@bufbuild/protobuf@2.17.0/wire";
import { WeightsError } from "../errors.ts";

/** The version of the file format, and that of the operators. */
export const IR_VERSION = 8, OPSET = 17;

/** One dimension of a shape: a size, or the name of a size that is known only when the graph runs, such as "batch". */
export type OnnxExtent = number | string;

/** An input or output of the graph: a float32 tensor. */
export interface OnnxPort {
  readonly name: string;
  readonly shape: readonly OnnxExtent[];
  /** A description for people. */
  readonly text?: string;
}

/** The value of an initializer: float32, or int64 for shapes and axes. */
export interface OnnxTensor {
  readonly shape: readonly number[];
  readonly data: Float32Array | BigInt64Array;
}

/** The value of an operator's attribute. A plain number, and numbers in an array, must be integers. */
export type OnnxAttribute = number | readonly number[] | { readonly float: number } | { readonly text: string };

/** An operator. */
export interface OnnxNode {
  readonly name: string;
  /** The type of the operator, such as "Conv". */
  readonly op: string;
  /** Names of tensors; "" for an optional input that is not given. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Readonly<Record<string, OnnxAttribute>>;
}

/** A graph, with the information about it in the file. */
export interface OnnxModel {
  readonly name: string;
  /** The name and version of the program that made the file. */
  readonly producer: readonly [name: string, version: string];
  readonly inputs: readonly OnnxPort[];
  readonly outputs: readonly OnnxPort[];
  /** In an order in which they can run. */
  readonly nodes: readonly OnnxNode[];
  readonly initializers: ReadonlyMap<string, OnnxTensor>;
  /** Any texts, by key. */
  readonly metadata: Readonly<Record<string, string>>;
}

// The numbers that ONNX gives to element types and to attribute types.
const FLOAT = 1, INT64 = 7;
const KINDS = { float: 1, int: 2, text: 3, ints: 7 };

/** The most bytes of weights: the limit of protobuf readers, less some space for the graph. */
const MAX_BYTES = 2 ** 31 - 2 ** 24;

/**
 * Encodes an ONNX file.
 *
 * @throws {WeightsError} if the weights are larger than 2 GiB, the limit of the format
 */
export function encodeOnnx(model: OnnxModel): Uint8Array<ArrayBuffer> {
  const bytes = [...model.initializers.values()].reduce((sum, { data }) => sum + data.byteLength, 0);
  if (bytes > MAX_BYTES) {
    throw new WeightsError(`${model.name} has ${bytes} bytes of weights; an ONNX file must be smaller than 2 GiB`);
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
    for (const item of value) writer.int(8, item);
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

/** Writes protobuf fields: each method writes the tag for its type, then the value. */
class Writer {
  readonly #wire = new BinaryWriter();

  int(field: number, value: number): this {
    this.#wire.tag(field, WireType.Varint).int64(value);
    return this;
  }

  float(field: number, value: number): this {
    // The library accepts only numbers that are exact in float32.
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
