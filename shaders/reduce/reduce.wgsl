// y [OUTER, CHUNKS, INNER]: x [OUTER, RUN, INNER], whose runs are split into chunks of CHUNK elements, reduced over each
// chunk. With LANES = 1, an invocation computes an output, in order; otherwise a workgroup computes one: each lane reduces
// every LANES-th element of the chunk, and the lanes' results are reduced as a tree. Either way the order is fixed.

alias T = f32;
alias U = f32;
const OP: u32 = 0u;
const OUTER: u32 = 1u;
const RUN: u32 = 1u;
const INNER: u32 = 1u;
const CHUNK: u32 = 1u;
const CHUNKS: u32 = 1u;
const LANES: u32 = 1u;
const SCALE: f32 = 1.0;

@group(0) @binding(0) var<storage, read> x: array<T>;
@group(0) @binding(1) var<storage, read_write> y: array<U>;

var<workgroup> shared_results: array<T, LANES>;

fn is_nan(v: T) -> bool {
  return (bitcast<u32>(v) & 0x7fffffffu) > 0x7f800000u;
}

fn join(a: T, b: T) -> T {
  switch (OP) {
    case 0u: { return a + b; }
    case 1u: { return select(select(max(a, b), b, is_nan(b)), a, is_nan(a)); }
    default: { return select(select(min(a, b), b, is_nan(b)), a, is_nan(a)); }
  }
}

// The mean is a scaled sum; integers are not scaled.
fn scaled(v: T) -> U {
  if (SCALE == 1.0) {
    return U(v);
  }
  return U(f32(v) * SCALE);
}

// The index of the first largest element; a NaN counts as the largest, as in PyTorch.
fn first_largest(at: u32) -> u32 {
  var best = 0u;
  var largest = x[at];
  for (var r = 1u; r < RUN; r++) {
    let v = x[at + r * INNER];
    if (!is_nan(largest) && (v > largest || is_nan(v))) {
      best = r;
      largest = v;
    }
  }
  return best;
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let g = group.y * groups.x + group.x;
  let i = select(g * 64u + lane, g, LANES > 1u);
  let inner = i % INNER;
  let chunk = i / INNER % CHUNKS;
  let at = min(i / INNER / CHUNKS, OUTER - 1u) * RUN * INNER + inner;
  if (OP == 3u) {
    if (i < OUTER * CHUNKS * INNER) {
      y[i] = U(first_largest(at));
    }
    return;
  }
  let first = chunk * CHUNK + select(0u, lane, LANES > 1u);
  let end = min(chunk * CHUNK + CHUNK, RUN);
  var total = x[at + min(first, RUN - 1u) * INNER];
  for (var r = first + LANES; r < end; r += LANES) {
    total = join(total, x[at + r * INNER]);
  }
  if (LANES > 1u) {
    shared_results[lane % LANES] = total;
    // CHUNK is at least LANES, so every lane has an element, unless this is the last chunk, which may be shorter.
    let filled = min(LANES, end - chunk * CHUNK);
    for (var stride = LANES / 2u; stride > 0u; stride /= 2u) {
      workgroupBarrier();
      if (lane < stride && lane + stride < filled) {
        shared_results[lane] = join(shared_results[lane], shared_results[lane + stride]);
      }
    }
    if (lane == 0u && i < OUTER * CHUNKS * INNER) {
      y[i] = scaled(shared_results[0]);
    }
  } else if (i < OUTER * CHUNKS * INNER) {
    y[i] = scaled(total);
  }
}
