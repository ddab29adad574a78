/**
 * A strict reader of event files, written from the descriptions of TFRecord and of TensorFlow's `event.proto` and
 * `summary.proto`. It shares nothing with what it tests, and refuses whatever it does not know.
 */

/** A value as it is stored. */
export type ReadValue =
  | { tag: string; scalar: number }
  | { tag: string; image: { height: number; width: number; channels: number; png: Uint8Array } }
  | { tag: string; histogram: { numbers: number[]; limits: number[]; counts: number[] } }
  | { tag: string; text: string; plugin: string };

export interface ReadEvent {
  wallTime: number;
  step: number;
  version?: string;
  start?: true;
  values?: ReadValue[];
}

/** The records of a file. Throws where a byte is not as it should be. */
export function readRecords(file: Uint8Array): Uint8Array[] {
  const records: Uint8Array[] = [], view = new DataView(file.buffer, file.byteOffset, file.length);
  const check = (from: number, to: number) => {
    if (to + 4 > file.length) throw new Error(`cut short at ${from}`);
    if (view.getUint32(to, true) !== masked(file.subarray(from, to))) throw new Error(`wrong checksum at ${to}`);
  };
  for (let at = 0; at < file.length;) {
    check(at, at + 8);
    const end = at + 12 + Number(view.getBigUint64(at, true));
    check(at + 12, end);
    records.push(file.subarray(at + 12, end));
    at = end + 4;
  }
  return records;
}

export const readEvents = (file: Uint8Array): ReadEvent[] => readRecords(file).map(readEvent);

/** CRC-32C bit by bit: polynomial 0x1EDC6F41, reflected. */
export function crc32c(data: Uint8Array): number {
  let sum = ~0;
  for (const byte of data) {
    sum ^= byte;
    for (let bit = 0; bit < 8; bit++) sum = sum >>> 1 ^ (sum & 1 ? 0x82f63b78 : 0);
  }
  return ~sum >>> 0;
}

function masked(data: Uint8Array): number {
  const sum = BigInt(crc32c(data));
  return Number(((sum >> 15n | sum << 17n) & 0xffffffffn) + 0xa282ead8n & 0xffffffffn);
}

/** A message's fields: numbers of 32 and 64 bits as their bytes. */
class Message {
  readonly #fields = new Map<number, (Uint8Array | number)[]>();

  constructor(bytes: Uint8Array, ...known: number[]) {
    let at = 0;
    const varint = () => {
      let value = 0n;
      for (let shift = 0n;; shift += 7n) {
        const byte = bytes[at++];
        if (byte === undefined || shift > 63n) throw new Error("a varint does not end");
        value |= BigInt(byte & 127) << shift;
        if (byte < 128) return Number(BigInt.asIntN(64, value));
      }
    };
    while (at < bytes.length) {
      const key = varint(), field = key >> 3, wire = key & 7;
      if (!known.includes(field)) throw new Error(`unknown field ${field}`);
      let value: Uint8Array | number;
      if (wire === 0) value = varint();
      else {
        const length = wire === 1 ? 8 : wire === 5 ? 4 : wire === 2 ? varint() : NaN;
        value = bytes.subarray(at, at + length);
        if (value.length !== length) throw new Error(`wire type ${wire}, or cut short`);
        at += length;
      }
      this.#fields.set(field, [...this.#fields.get(field) ?? [], value]);
    }
  }

  has(field: number): boolean {
    return this.#fields.has(field);
  }

  all(field: number): Uint8Array[] {
    return (this.#fields.get(field) ?? []).map((value) => {
      if (!(value instanceof Uint8Array)) throw new Error(`field ${field} is a varint`);
      return value;
    });
  }

  bytes(field: number): Uint8Array {
    const [one, ...more] = this.all(field);
    if (!one || more.length > 0) throw new Error(`field ${field} is there ${more.length + (one ? 1 : 0)} times`);
    return one;
  }

  int(field: number): number {
    const values = this.#fields.get(field);
    if (values?.length !== 1 || typeof values[0] !== "number") throw new Error(`field ${field} is no integer`);
    return values[0];
  }

  text(field: number): string {
    return new TextDecoder("utf-8", { fatal: true }).decode(this.bytes(field));
  }

  doubles(field: number): number[] {
    const bytes = this.bytes(field), view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    return Array.from({ length: bytes.length / 8 }, (_, i) => view.getFloat64(8 * i, true));
  }

  float(field: number): number {
    const bytes = this.bytes(field);
    if (bytes.length !== 4) throw new Error(`field ${field} is no float`);
    return new DataView(bytes.buffer, bytes.byteOffset).getFloat32(0, true);
  }
}

function readEvent(bytes: Uint8Array): ReadEvent {
  const event = new Message(bytes, 1, 2, 3, 5, 7);
  return {
    wallTime: event.doubles(1)[0]!,
    step: event.int(2),
    ...event.has(3) ? { version: event.text(3) } : {},
    ...event.has(5) ? { values: new Message(event.bytes(5), 1).all(1).map(readValue) } : {},
    ...event.has(7) && new Message(event.bytes(7), 1).int(1) === 1 ? { start: true as const } : {},
  };
}

function readValue(bytes: Uint8Array): ReadValue {
  const value = new Message(bytes, 1, 2, 4, 5, 8, 9), tag = value.text(1);
  if (value.has(2)) return { tag, scalar: value.float(2) };
  if (value.has(4)) {
    const image = new Message(value.bytes(4), 1, 2, 3, 4);
    return { tag, image: { height: image.int(1), width: image.int(2), channels: image.int(3), png: image.bytes(4) } };
  }
  if (value.has(5)) {
    const histogram = new Message(value.bytes(5), 1, 2, 3, 4, 5, 6, 7);
    const numbers = [1, 2, 3, 4, 5].flatMap((field) => histogram.doubles(field));
    return { tag, histogram: { numbers, limits: histogram.doubles(6), counts: histogram.doubles(7) } };
  }
  const tensor = new Message(value.bytes(8), 1, 2, 8);
  const size = new Message(new Message(tensor.bytes(2), 2).bytes(2), 1).int(1);
  if (tensor.int(1) !== 7 || size !== 1) throw new Error("a tensor that is no text");
  return { tag, text: tensor.text(8), plugin: new Message(new Message(value.bytes(9), 1).bytes(1), 1).text(1) };
}
