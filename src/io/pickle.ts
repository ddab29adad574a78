/**
 * Reads Python pickles, as far as a state dict needs them. A pickle is a program for a stack machine that can name and call
 * any Python function. This interpreter has a table of the few opcodes that are needed. The only functions that a pickle
 * can call are those that the caller supplies; any other name is an error. So no code from a file is ever run.
 *
 * @module
 */
import { quote } from "../foreign_text.ts";

/** A function that a pickle may call. */
export type Callable = (args: readonly unknown[]) => unknown;

/** The things outside of a pickle that it may refer to. */
export interface PickleHost {
  /** Functions and types by their full names, such as `collections.OrderedDict`. Any other name is an error. */
  readonly globals: Readonly<Record<string, unknown>>;
  /** Returns the object outside of the pickle that a persistent id stands for. */
  readonly persistent: Callable;
}

/**
 * The largest pickle that is read, in bytes, and the approximate memory that its objects may use, in bytes. A tensor takes
 * about 150 bytes of the pickle, and 3,000 bytes of memory.
 */
const MAX_BYTES = 2_000_000, MAX_MEMORY = 32_000_000;

/** The name of each opcode of protocols 0 to 5, by its code in hexadecimal. */
const NAMES: Readonly<Record<string, string>> = Object.fromEntries(
  (`28 MARK,2e STOP,30 POP,31 POP_MARK,32 DUP,46 FLOAT,49 INT,4a BININT,4b BININT1,4c LONG,4d BININT2,4e NONE,50 PERSID,` +
    `51 BINPERSID,52 REDUCE,53 STRING,54 BINSTRING,55 SHORT_BINSTRING,56 UNICODE,58 BINUNICODE,61 APPEND,62 BUILD,` +
    `63 GLOBAL,64 DICT,7d EMPTY_DICT,65 APPENDS,67 GET,68 BINGET,69 INST,6a LONG_BINGET,6c LIST,5d EMPTY_LIST,6f OBJ,` +
    `70 PUT,71 BINPUT,72 LONG_BINPUT,73 SETITEM,74 TUPLE,29 EMPTY_TUPLE,75 SETITEMS,47 BINFLOAT,80 PROTO,81 NEWOBJ,` +
    `82 EXT1,83 EXT2,84 EXT4,85 TUPLE1,86 TUPLE2,87 TUPLE3,88 NEWTRUE,89 NEWFALSE,8a LONG1,8b LONG4,42 BINBYTES,` +
    `43 SHORT_BINBYTES,8c SHORT_BINUNICODE,8d BINUNICODE8,8e BINBYTES8,8f EMPTY_SET,90 ADDITEMS,91 FROZENSET,` +
    `92 NEWOBJ_EX,93 STACK_GLOBAL,94 MEMOIZE,95 FRAME,96 BYTEARRAY8,97 NEXT_BUFFER,98 READONLY_BUFFER`)
    .split(",").map((row) => row.split(" ") as [string, string]),
);

/** A function or type that a pickle has named. The pickle can call it, but cannot use it as a value. */
class Global {
  constructor(readonly value: unknown) {}
}

/**
 * An object of a type that tensors do not need, such as a set or a path: a checkpoint may hold some beside its state dict.
 * Nothing of it is kept. What a pickle adds to it, or sets of it, is ignored.
 */
export const OPAQUE: unique symbol = Symbol("an object that is not read");

/** The stack machine. The messages of its errors do not name the file; the caller adds the name. */
class Machine {
  readonly stack: unknown[] = [];
  readonly #marks: number[] = [];
  readonly #memo = new Map<number, unknown>();
  readonly #view: DataView;
  readonly #text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  #at = 0;
  #left = MAX_MEMORY;

  constructor(readonly bytes: Uint8Array, readonly host: PickleHost) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  run(): unknown {
    for (let code = this.u8(); code !== STOP; code = this.u8()) {
      const hex = code.toString(16).padStart(2, "0"), name = NAMES[hex];
      const action = name === undefined ? undefined : ACTIONS[name];
      if (action === undefined) {
        throw new Error(`its pickle has the opcode ${name ?? `0x${hex}`}, which is not allowed`);
      }
      action(this);
    }
    const result = this.pop();
    if (this.stack.length > 0 || this.#marks.length > 0) throw new Error("its pickle ends with more than one object");
    return result;
  }

  /** Skips `length` bytes. @returns the offset at which they start. */
  #skip(length: number): number {
    const from = this.#at;
    if (length > this.bytes.length - from) throw new Error(`its pickle is cut off at byte ${this.bytes.length}`);
    this.#at += length;
    return from;
  }

  /** Counts the memory that objects use, roughly. A pickle that makes a list per byte would use a hundred times its size. */
  #countMemory(bytes: number): void {
    this.#left -= bytes;
    if (this.#left < 0) throw new Error("its pickle makes far more objects than the tensors of a network need");
  }

  u8 = (): number => this.#view.getUint8(this.#skip(1));
  u16 = (): number => this.#view.getUint16(this.#skip(2), true);
  i32 = (): number => this.#view.getInt32(this.#skip(4), true);
  u32 = (): number => this.#view.getUint32(this.#skip(4), true);
  f64 = (): number => this.#view.getFloat64(this.#skip(8));

  /** An integer of `length` bytes; a bigint if a number would not be exact. */
  long(length: number): number | bigint {
    let value = 0n;
    const from = this.#skip(length);
    for (let i = length - 1; i >= 0; i--) value = value << 8n | BigInt(this.bytes[from + i]!);
    const signed = BigInt.asIntN(8 * length, value), number = Number(signed);
    return Number.isSafeInteger(number) ? number : signed;
  }

  text(length: number): string {
    const from = this.#skip(length);
    try {
      return this.#text.decode(this.bytes.subarray(from, from + length));
    } catch {
      throw new Error(`its pickle has a text at byte ${from} that is not UTF-8`);
    }
  }

  line(): string {
    const end = this.bytes.indexOf(0x0a, this.#at), line = this.text((end < 0 ? this.bytes.length : end) - this.#at);
    this.#skip(1);
    return line;
  }

  push(value: unknown): void {
    this.#countMemory(typeof value === "string" ? 48 + 2 * value.length : 24);
    this.stack.push(value);
  }

  /** Pushes a new list, dict or other object. */
  make(value: unknown): void {
    this.#countMemory(256);
    this.stack.push(value);
  }

  pop(): unknown {
    if (this.stack.length <= (this.#marks.at(-1) ?? 0)) {
      throw new Error("its pickle takes an object from an empty stack");
    }
    return this.stack.pop();
  }

  /** The list on top of the stack; it stays there. */
  list(): unknown[] {
    const value = this.stack.at(-1);
    if (value === OPAQUE) return [];
    if (!Array.isArray(value)) throw new Error("its pickle adds an item to something that is not a list");
    return value;
  }

  /** The dict on top of the stack; it stays there. */
  dict(): Map<unknown, unknown> {
    const value = this.stack.at(-1);
    if (value === OPAQUE) return new Map();
    if (!(value instanceof Map)) throw new Error("its pickle sets a key of something that is not a dict");
    return value;
  }

  tuple(length: number): void {
    const items = Array.from({ length }, () => this.pop()).reverse();
    this.make(items);
  }

  mark(): void {
    this.#countMemory(16);
    this.#marks.push(this.stack.length);
  }

  /** The objects since the last mark. */
  marked(): unknown[] {
    const mark = this.#marks.pop();
    if (mark === undefined) throw new Error("its pickle has no mark where one is needed");
    return this.stack.splice(mark);
  }

  put(key = this.#memo.size): void {
    this.#countMemory(64);
    const value = this.pop();
    this.stack.push(value);
    this.#memo.set(key, value);
  }

  get(key: number): void {
    if (!this.#memo.has(key)) throw new Error(`its pickle uses object ${key}, which was never stored`);
    this.push(this.#memo.get(key));
  }

  set(items: readonly unknown[]): void {
    const dict = this.dict();
    if (items.length % 2 !== 0) throw new Error("its pickle has a dict key without a value");
    for (let i = 0; i < items.length; i += 2) dict.set(items[i], items[i + 1]);
  }

  global(module: unknown, name: unknown): void {
    if (typeof module !== "string" || typeof name !== "string") {
      throw new Error("its pickle names a function by something that is not a text");
    }
    const full = `${module}.${name}`;
    if (!Object.hasOwn(this.host.globals, full)) {
      throw new Error(
        `its pickle names ${quote(full, 100)}, which tensors do not need, so it is not run: save only a state_dict()`,
      );
    }
    this.make(new Global(this.host.globals[full]));
  }

  reduce(): void {
    const args = this.pop(), callee = this.pop();
    if (!(callee instanceof Global) || typeof callee.value !== "function" || !Array.isArray(args)) {
      throw new Error("its pickle calls something that is not a function");
    }
    this.make(callee.value(args));
  }

  /** Skips bytes, and pushes an opaque object for them. */
  skipBytes(length: number): void {
    this.#skip(length);
    this.push(OPAQUE);
  }

  /** Sets attributes of a dict. They are ignored: a state dict has only `_metadata`, the versions of the layers. */
  build(): void {
    this.pop();
    this.dict();
  }
}

const STOP = 0x2e;

/** What each supported opcode does. */
const ACTIONS: Readonly<Record<string, (machine: Machine) => void>> = {
  PROTO: (m) => {
    const protocol = m.u8();
    if (protocol < 2 || protocol > 5) throw new Error(`its pickle has protocol ${protocol}; supported are 2 to 5`);
  },
  FRAME: (m) => void m.long(8),
  MARK: (m) => m.mark(),
  NONE: (m) => m.push(null),
  NEWTRUE: (m) => m.push(true),
  NEWFALSE: (m) => m.push(false),
  BININT: (m) => m.push(m.i32()),
  BININT1: (m) => m.push(m.u8()),
  BININT2: (m) => m.push(m.u16()),
  LONG1: (m) => m.push(m.long(m.u8())),
  BINFLOAT: (m) => m.push(m.f64()),
  BINUNICODE: (m) => m.push(m.text(m.u32())),
  SHORT_BINUNICODE: (m) => m.push(m.text(m.u8())),
  EMPTY_TUPLE: (m) => m.tuple(0),
  TUPLE1: (m) => m.tuple(1),
  TUPLE2: (m) => m.tuple(2),
  TUPLE3: (m) => m.tuple(3),
  TUPLE: (m) => m.make(m.marked()),
  EMPTY_LIST: (m) => m.make([]),
  APPEND: (m) => {
    const item = m.pop();
    m.list().push(item);
  },
  APPENDS: (m) => {
    const items = m.marked(), list = m.list();
    for (const item of items) list.push(item);
  },
  EMPTY_DICT: (m) => m.make(new Map()),
  SETITEM: (m) => {
    const value = m.pop(), key = m.pop();
    m.set([key, value]);
  },
  SETITEMS: (m) => m.set(m.marked()),
  BINPUT: (m) => m.put(m.u8()),
  LONG_BINPUT: (m) => m.put(m.u32()),
  MEMOIZE: (m) => m.put(),
  BINGET: (m) => m.get(m.u8()),
  LONG_BINGET: (m) => m.get(m.u32()),
  GLOBAL: (m) => m.global(m.line(), m.line()),
  STACK_GLOBAL: (m) => {
    const name = m.pop();
    m.global(m.pop(), name);
  },
  REDUCE: (m) => m.reduce(),
  NEWOBJ: (m) => m.reduce(),
  EMPTY_SET: (m) => m.push(OPAQUE),
  ADDITEMS: (m) => {
    m.marked();
    if (m.stack.at(-1) !== OPAQUE) throw new Error("its pickle adds an item to something that is not a set");
  },
  FROZENSET: (m) => {
    m.marked();
    m.push(OPAQUE);
  },
  SHORT_BINBYTES: (m) => m.skipBytes(m.u8()),
  BINBYTES: (m) => m.skipBytes(m.u32()),
  BUILD: (m) => m.build(),
  BINPERSID: (m) => {
    const id = m.pop();
    if (!Array.isArray(id)) throw new Error("its pickle has a persistent id that is not a tuple");
    m.make(m.host.persistent(id.map((part) => part instanceof Global ? part.value : part)));
  },
};

/**
 * Reads a pickle. Tuples and lists become arrays, dicts become maps.
 *
 * @returns the object that it describes
 * @throws {Error} if the pickle uses an opcode or a global that is not allowed, is cut off or malformed, or would make far
 * more objects than a state dict has. The message starts with "its pickle".
 */
export function unpickle(bytes: Uint8Array, host: PickleHost): unknown {
  if (bytes.length > MAX_BYTES) throw new Error(`its pickle has ${bytes.length} bytes; the limit is ${MAX_BYTES}`);
  return new Machine(bytes, host).run();
}
