/**
 * Device memory: blocks that are counted, reused and freed by hand, because the garbage collector does not see them.
 *
 * @module
 */

/** Memory of a backend. Only the backend that made it can look inside. */
export interface DeviceBuffer {
  /** Bytes. */
  readonly size: number;
}

/** What makes and frees a backend's memory. */
export interface BufferSource {
  createBuffer(bytes: number): DeviceBuffer;
  destroyBuffer(buffer: DeviceBuffer): void;
}

/** A buffer with a count of its users. At zero it goes back to the pool, for the next block of its size. */
export class Block {
  #users = 0;

  constructor(readonly pool: Pool, readonly buffer: DeviceBuffer) {}

  /** Bytes. */
  get size(): number {
    return this.buffer.size;
  }

  retain(): this {
    this.#users++;
    return this;
  }

  release(): void {
    if (--this.#users === 0) this.pool.recycle(this);
  }
}

/** A range of a block: where a tensor's elements are. `offset` and `size` in bytes; `offset` is a multiple of 256. */
export interface Storage {
  readonly block: Block;
  readonly offset: number;
  readonly size: number;
}

/** The alignment, in bytes, that every backend accepts for a binding's offset. */
export const ALIGNMENT = 256;

/** The bytes that `bytes` take up where tensors follow each other in one block. */
export const align = (bytes: number): number => Math.ceil(Math.max(bytes, 4) / ALIGNMENT) * ALIGNMENT;

/** The most bytes of free blocks that are kept for reuse. Blocks beyond that are destroyed. */
const POOL_BYTES = 256 * 1024 * 1024;

/** The blocks of one backend: those in use are counted, free ones are kept for reuse. */
export class Pool {
  readonly #source: BufferSource;
  readonly #free = new Map<number, Block[]>();
  readonly #pressure = new Pressure();
  #freeBytes = 0;

  constructor(source: BufferSource) {
    this.#source = source;
  }

  /** A free block of `size` bytes, or a new one, for its first user. */
  take(size: number): Block {
    const free = this.#free.get(size)?.pop();
    if (free) {
      this.#freeBytes -= size;
      return free.retain();
    }
    this.#pressure.add(size);
    return new Block(this, this.#source.createBuffer(size)).retain();
  }

  /** Keeps `block`, which has no users, for reuse, or destroys it if enough is kept. */
  recycle(block: Block): void {
    const { size } = block;
    if (this.#freeBytes + size > POOL_BYTES) {
      this.#source.destroyBuffer(block.buffer);
      return;
    }
    this.#freeBytes += size;
    const list = this.#free.get(size);
    if (list) list.push(block);
    else this.#free.set(size, [block]);
  }
}

/** The bytes that a buffer counts for at least: the driver needs some kilobytes for each. */
const LEAST = 16384;
/** The bytes of a piece of ballast, and how many pieces are held. */
const PIECE = 1024 * 1024, PIECES = 64;

/**
 * Tells the garbage collector of memory that it does not see. A loop that drops tensors makes little garbage on the
 * JavaScript side, so the collector would hardly run, and the tensors' memory would not be freed. So buffers come with
 * ballast of their size: memory that is never touched, and so takes no physical page. The ballast is held until 64 MiB
 * more were made, so that only a full collection finds it, and V8 makes one after about 64 MiB of it.
 */
class Pressure {
  readonly #ballast: ArrayBuffer[] = [];
  #next = 0;
  #owed = 0;

  /** A buffer of `bytes` was made. */
  add(bytes: number): void {
    this.#owed += Math.max(bytes, LEAST);
    let pieces = Math.min(Math.floor(this.#owed / PIECE), PIECES);
    this.#owed %= PIECE;
    for (; pieces > 0; pieces--) {
      this.#ballast[this.#next] = new ArrayBuffer(PIECE);
      this.#next = (this.#next + 1) % PIECES;
    }
  }
}
