// p [SIZE] −= rate (g + WEIGHT_DECAY p): gradient descent.

const SIZE: u32 = 1u;
const WEIGHT_DECAY: f32 = 0.0;

@group(0) @binding(0) var<storage, read_write> p: array<f32>;
@group(0) @binding(1) var<storage, read> g: array<f32>;
@group(0) @binding(2) var<storage, read> rate: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  if (i < SIZE) {
    p[i] -= rate[0] * (g[i] + WEIGHT_DECAY * p[i]);
  }
}
