// Gradients g [4 SIZE], in vectors of four, with gaps between tensors that may hold anything: scaled so that their norm
// is no more than MOST, or each element clamped to ±MOST. NaN stays NaN, and a norm of NaN makes all of them NaN. Looks
// at the bits for that, since drivers may assume that there is none.

const SIZE: u32 = 1u;
const MOST: f32 = 1.0;
const BY_NORM: bool = true;

@group(0) @binding(0) var<storage, read_write> g: array<vec4f>;
// @if BY_NORM
@group(0) @binding(1) var<storage, read> norm: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  var scale = 1.0;
  // @if BY_NORM
  {
    let total = norm[0];
    let nan = (bitcast<u32>(total) & 0x7fffffffu) > 0x7f800000u;
    // The small number keeps it finite, as in PyTorch.
    scale = select(min(MOST / (total + 1e-6), 1.0), total, nan);
  }
  let first = (group.y * groups.x + group.x) * 256u + lane;
  // @unroll
  for (var e = 0u; e < 4u; e++) {
    let i = first + e * 64u;
    if (i < SIZE) {
      let x = g[i];
      if (BY_NORM) {
        g[i] = scale * x;
      } else {
        let nan = (bitcast<vec4u>(x) & vec4u(0x7fffffffu)) > vec4u(0x7f800000u);
        g[i] = select(clamp(x, vec4f(-MOST), vec4f(MOST)), x, nan);
      }
    }
  }
}
