/**
 * A reader of ONNX files for tests: protobuf's fields by number, and the names of those that tests ask for.
 *
 * @module
 */
import { BinaryReader, WireType } from "npm:@bufbuild/protobuf@2.17.0/wire";

/** The fields of a message: whole numbers, float32 numbers, and the bytes of texts, messages and arrays. */
class Fields {
  readonly #values = new Map<number, (number | Uint8Array)[]>();

  constructor(bytes: Uint8Array) {
    const reader = new BinaryReader(bytes);
    while (reader.pos < reader.len) {
      const [field, type] = reader.tag(), values = this.#values.get(field) ?? [];
      this.#values.set(field, values);
      if (type === WireType.Varint) values.push(Number(reader.int64()));
      else if (type === WireType.Bit32) values.push(reader.float());
      else values.push(reader.bytes());
    }
  }

  numbers = (field: number): number[] => (this.#values.get(field) ?? []) as number[];
  bytes = (field: number): Uint8Array[] => (this.#values.get(field) ?? []) as Uint8Array[];
  texts = (field: number): string[] => this.bytes(field).map((one) => new TextDecoder().decode(one));
  messages = (field: number): Fields[] => this.bytes(field).map((one) => new Fields(one));
}

const port = (fields: Fields) => ({
  name: fields.texts(1)[0],
  type: fields.messages(2)[0]!.messages(1)[0]!.numbers(1)[0],
  shape: fields.messages(2)[0]!.messages(1)[0]!.messages(2)[0]!.messages(1).map((dim) =>
    dim.numbers(1)[0] ?? dim.texts(2)[0]
  ),
  text: fields.texts(3)[0],
});

/** Of an attribute the name, and its list or its number or text. Its kind is ONNX's number for that. */
function attribute(fields: Fields): [string, unknown, kind: number] {
  const kind = fields.numbers(20)[0]!,
    lists = { 1: fields.numbers(2)[0], 2: fields.numbers(3)[0], 3: fields.texts(4)[0] };
  return [fields.texts(1)[0]!, kind === 7 ? fields.numbers(8) : lists[kind as 1 | 2 | 3], kind];
}

/** What is in a file. */
// deno-lint-ignore explicit-module-boundary-types
export function readOnnx(bytes: Uint8Array) {
  const model = new Fields(bytes), graph = model.messages(7)[0]!;
  return {
    ir: model.numbers(1)[0],
    producer: [model.texts(2)[0], model.texts(3)[0]],
    opsets: model.messages(8).map((one) => [one.texts(1)[0], one.numbers(2)[0]]),
    metadata: Object.fromEntries(model.messages(14).map((one) => [one.texts(1)[0], one.texts(2)[0]])),
    name: graph.texts(2)[0],
    inputs: graph.messages(11).map(port),
    outputs: graph.messages(12).map(port),
    nodes: graph.messages(1).map((node) => ({
      name: node.texts(3)[0],
      op: node.texts(4)[0],
      inputs: node.texts(1),
      outputs: node.texts(2),
      attributes: Object.fromEntries(node.messages(5).map(attribute)),
      kinds: node.messages(5).map((one) => attribute(one)[2]),
    })),
    initializers: graph.messages(5).map((one) => ({
      name: one.texts(8)[0],
      shape: one.numbers(1),
      type: one.numbers(2)[0],
      data: one.bytes(9)[0]!,
    })),
  };
}
