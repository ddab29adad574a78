// p [4 SIZE] −= rate (g + WEIGHT_DECAY p): gradient descent; or ascent, with −g.

// In vectors of four. The parameters of a group lie in one block, with gaps between them that may hold anything.
const SIZE: u32 = 1u;
const WEIGHT_DECAY: f32 = 0.0;
const MAXIMIZE: bool = false;

@group(0) @binding(0) var<storage, read_write> p: array<vec4f>;
@group(0) @binding(1) var<storage, read> g: array<vec4f>;
@group(0) @binding(2) var<storage, read> rate: array<f32>;

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
      p[i] -= lr * (select(g[i], -g[i], MAXIMIZE) + WEIGHT_DECAY * p[i]);
    }
  }
}
