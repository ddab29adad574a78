// order [COUNT] = the shuffled order of an epoch under its key: `permute` of src/random.ts, which explains it.
// Also sets the step within the epoch, counters[0], to 0.

const COUNT: u32 = 1u;
// The Feistel network permutes numbers of twice as many bits.
const HALF_BITS: u32 = 1u;

@group(0) @binding(0) var<storage, read_write> order: array<u32>;
@group(0) @binding(1) var<storage, read_write> counters: array<u32>;
@group(0) @binding(2) var<storage, read> key: array<u32>;

fn mix(v: u32) -> u32 {
  var x = (v ^ (v >> 16u)) * 0x85ebca6bu;
  x = (x ^ (x >> 13u)) * 0xc2b2ae35u;
  return x ^ (x >> 16u);
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  if (i >= COUNT) {
    return;
  }
  let mask = (1u << HALF_BITS) - 1u;
  var x = i;
  loop {
    var left = x >> HALF_BITS;
    var right = x & mask;
    for (var round = 0u; round < 8u; round++) {
      let next = left ^ (mix(right + mix(key[0] + round * 0x9e3779b9u)) & mask);
      left = right;
      right = next;
    }
    x = (left << HALF_BITS) | right;
    if (x < COUNT) {
      break;
    }
  }
  order[i] = x;
  if (i == 0u) {
    counters[0] = 0u;
  }
}
