// p, m [4 SIZE]: gradient descent with momentum, as PyTorch has it. With d = g + WEIGHT_DECAY p (−g to MAXIMIZE),
// m = d in the first step and MOMENTUM m + (1 − DAMPENING) d after it; p −= rate m, or rate (d + MOMENTUM m) with Nesterov.

// In vectors of four. The parameters of a group lie in one block, with gaps between them that may hold anything.
const SIZE: u32 = 1u;
const WEIGHT_DECAY: f32 = 0.0;
const MOMENTUM: f32 = 0.0;
const DAMPENING: f32 = 0.0;
const NESTEROV: bool = false;
const MAXIMIZE: bool = false;
// 1: what p and m were lies in buffers of its own, which are read instead.
const APART: u32 = 0u;
const IN_PLACE: bool = APART < 1u;

@group(0) @binding(0) var<storage, read_write> p: array<vec4f>;
@group(0) @binding(1) var<storage, read> g: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> m: array<vec4f>;
@group(0) @binding(3) var<storage, read> rate: array<f32>;
// @if APART
@group(0) @binding(4) var<storage, read> old_p: array<vec4f>;
// @if APART
@group(0) @binding(5) var<storage, read> old_m: array<vec4f>;

// Vectors for one invocation, a workgroup apart.
const EACH: u32 = 4u;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  // Read before any branch: a software driver then reads it once for all lanes.
  let lr = rate[0];
  let first = (group.y * groups.x + group.x) * 64u * EACH + lane;
  // @unroll
  for (var e = 0u; e < EACH; e++) {
    let i = first + e * 64u;
    if (i < SIZE) {
      var before: vec4f;
      var last: vec4f;
      // @if IN_PLACE
      {
        before = p[i];
        last = m[i];
      }
      // @if APART
      {
        before = old_p[i];
        last = old_m[i];
      }
      let d = select(g[i], -g[i], MAXIMIZE) + WEIGHT_DECAY * before;
      var next = MOMENTUM * last + (1.0 - DAMPENING) * d;
      if (DAMPENING != 0.0) {
        // The buffer holds NaN before the first step. Looks at the bits, since drivers may assume that there is none.
        next = select(next, d, (bitcast<vec4u>(last) & vec4u(0x7fffffffu)) > vec4u(0x7f800000u));
      }
      m[i] = next;
      p[i] = before - lr * select(next, d + MOMENTUM * next, NESTEROV);
    }
  }
}
