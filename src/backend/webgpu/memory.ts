/**
 * GPU memory: blocks that are counted, pooled and destroyed by hand, because the garbage collector does not see them.
 *
 * @module
 */
import { OutOfMemoryError } from "../../errors.ts";
import { counters, type Gpu } from "./device.ts";

/** One GPU buffer with a count of its users. At zero it goes back to the pool, for the next block of its size. */
export class Block {
  #users = 0;
  /**
   * Memory of the same size that is never touched: it tells the garbage collector, which does not see GPU memory, that what
   * holds this block is not small. A buffer costs the driver some kilobytes, however small it is.
   */
  readonly weight: ArrayBuffer;

  constructor(readonly gpu: Gpu, readonly buffer: GPUBuffer, readonly size: number) {
    this.weight = new ArrayBuffer(Math.max(size, 16384));
  }

  retain(): this {
    this.#users++;
    return this;
  }

  release(): void {
    if (--this.#users === 0) recycle(this);
  }
}

/** A range of a block: where a tensor's elements lie. `offset` and `size` in bytes; `offset` is a multiple of 256. */
export interface Storage {
  readonly block: Block;
  readonly offset: number;
  readonly size: number;
}

/** The alignment, in bytes, that WebGPU guarantees to accept for a binding's offset. */
export const ALIGNMENT = 256;

/** The bytes that `bytes` take up, where tensors lie one behind the other. */
export const align = (bytes: number): number => Math.ceil(Math.max(bytes, 4) / ALIGNMENT) * ALIGNMENT;

/** Free blocks by their size. */
class Pool {
  readonly blocks = new Map<number, Block[]>();
  bytes = 0;
}

/** Each device has its own: what one device made is of no use to another. */
const pools = new WeakMap<Gpu, Pool>();

function poolOf(gpu: Gpu): Pool {
  let pool = pools.get(gpu);
  if (!pool) pools.set(gpu, pool = new Pool());
  return pool;
}

/** Blocks kept for reuse. Past this, they are destroyed. */
const POOL_BYTES = 256 * 1024 * 1024;

/** A block of at least `bytes`, which the caller releases. Throws `OutOfMemoryError` where the adapter's limits do not allow it. */
export function allocate(gpu: Gpu, bytes: number): Block {
  const size = align(bytes);
  const pool = poolOf(gpu), pooled = pool.blocks.get(size)?.pop();
  if (pooled) {
    pool.bytes -= size;
    return pooled.retain();
  }
  const most = Math.min(gpu.device.limits.maxBufferSize, gpu.device.limits.maxStorageBufferBindingSize);
  if (size > most) {
    throw new OutOfMemoryError(
      `a tensor of ${bytes} bytes does not fit a GPU buffer of ${gpu.adapter.name} (at most ${most})`,
      "tensor",
      bytes,
      most,
      { remedy: "use a smaller batch" },
    );
  }
  const buffer = gpu.device.createBuffer({
    size,
    usage: GPUBufferUsage.STORAGE | GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST,
  });
  counters.buffersCreated++;
  counters.buffersLive++;
  counters.bytesLive += size;
  return new Block(gpu, buffer, size).retain();
}

function recycle(block: Block): void {
  const pool = poolOf(block.gpu);
  if (pool.bytes + block.size > POOL_BYTES) {
    block.buffer.destroy();
    counters.buffersLive--;
    counters.bytesLive -= block.size;
    return;
  }
  pool.bytes += block.size;
  const list = pool.blocks.get(block.size);
  if (list) list.push(block);
  else pool.blocks.set(block.size, [block]);
}

/** A new storage of its own. The caller releases its block. */
export function allocateStorage(gpu: Gpu, bytes: number): Storage {
  return { block: allocate(gpu, bytes), offset: 0, size: bytes };
}

/** Writes `data` at the start of `storage`, before any later submit. */
export function write(gpu: Gpu, storage: Storage, data: Float32Array | Uint32Array | Uint8Array, byteOffset = 0): void {
  gpu.device.queue.writeBuffer(
    storage.block.buffer,
    storage.offset + byteOffset,
    data.buffer as ArrayBuffer,
    data.byteOffset,
    data.byteLength,
  );
}

/**
 * Starts a copy of the storages' contents to the CPU, behind everything submitted so far, and returns their bytes.
 * Each wait costs some 10 ms in Deno, whatever the size: read several things at once, and seldom.
 */
export async function read(gpu: Gpu, storages: readonly Storage[]): Promise<ArrayBuffer[]> {
  gpu.check();
  const starts: number[] = [];
  let size = 0;
  for (const storage of storages) {
    starts.push(size);
    size += Math.ceil(storage.size / 4) * 4;
  }
  const staging = gpu.device.createBuffer({
    size: Math.max(size, 4),
    usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
  });
  try {
    const encoder = gpu.device.createCommandEncoder();
    storages.forEach((storage, i) => {
      const bytes = Math.ceil(storage.size / 4) * 4;
      if (bytes > 0) encoder.copyBufferToBuffer(storage.block.buffer, storage.offset, staging, starts[i]!, bytes);
    });
    gpu.device.queue.submit([encoder.finish()]);
    counters.submits++;
    await Promise.race([staging.mapAsync(GPUMapMode.READ), gpu.failed]);
    gpu.check();
    const mapped = staging.getMappedRange();
    return storages.map((storage, i) => mapped.slice(starts[i]!, starts[i]! + storage.size));
  } finally {
    staging.destroy();
  }
}
