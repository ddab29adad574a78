// y [SIZE] = op(x [SIZE]), one invocation an element.

const OP: u32 = 0u;
const SIZE: u32 = 1u;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;

// Comparisons with NaN are false everywhere, but drivers may assume that there is none: look at the bits.
fn is_nan(v: f32) -> bool {
  return (bitcast<u32>(v) & 0x7fffffffu) > 0x7f800000u;
}

fn op(v: f32) -> f32 {
  switch (OP) {
    case 0u: { return -v; }
    case 1u: { return exp(v); }
    case 2u: { return log(v); }
    case 3u: { return sqrt(v); }
    case 4u: { return abs(v); }
    case 5u: { return select(max(v, 0.0), v, is_nan(v)); }
    case 6u: { return sign(v); }
    default: { return v * v; }
  }
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  if (i < SIZE) {
    y[i] = op(x[i]);
  }
}
