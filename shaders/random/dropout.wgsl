// y [SIZE] = x times SCALE, or times 0 where the random number of its channel (INNER neighbours) has it dropped.
// The numbers are a function of the generator's state: that of its seed, and the dropouts before this one.

const SIZE: u32 = 1u;
const INNER: u32 = 1u;
// A channel is dropped where the upper 24 bits of its random number are below this.
const DROPPED: u32 = 8388608u;
const SCALE: f32 = 2.0;
const FORWARD: bool = true;

// The elements of an invocation lie STRIDE apart, so that its neighbours read their neighbours.
const STRIDE: u32 = (SIZE + 3u) / 4u;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> state: array<u32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
// The state for the next dropout.
// @if FORWARD
@group(0) @binding(3) var<storage, read_write> following: array<u32>;

// `mix32` of src/random.ts.
fn mix(v: u32) -> u32 {
  var x = (v ^ (v >> 16u)) * 0x85ebca6bu;
  x = (x ^ (x >> 13u)) * 0xc2b2ae35u;
  return x ^ (x >> 16u);
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let first = (group.y * groups.x + group.x) * 64u + lane;
  if (first >= STRIDE) {
    return;
  }
  // Two keys, so that no two dropouts have the same numbers in another order.
  let key = mix(state[0] + mix(state[1] + 0x9e3779b9u));
  let other = mix(key + 0x9e3779b9u);
  // @unroll
  for (var part = 0u; part < 4u; part++) {
    let i = first + part * STRIDE;
    if (i < SIZE) {
      let bits = mix(mix(i / INNER + key) ^ other);
      // NaN and infinities stay NaN where they are dropped, as in PyTorch.
      y[i] = x[i] * select(SCALE, 0.0, (bits >> 8u) < DROPPED);
    }
  }
  // @if FORWARD
  if (first == 0u) {
    following[0] = state[0];
    following[1] = state[1] + 1u;
  }
}
