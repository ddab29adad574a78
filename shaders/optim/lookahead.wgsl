// Every K-th step, by the counter, slow [4 SIZE] goes ALPHA of the way to p, and p starts again from there (Zhang et
// al. 2019). In vectors of four, with gaps between tensors that may hold anything.

const SIZE: u32 = 1u;
const K: u32 = 5u;
const ALPHA: f32 = 0.5;

@group(0) @binding(0) var<storage, read_write> p: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> slow: array<vec4f>;
@group(0) @binding(2) var<storage, read> counter: array<u32>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let first = (group.y * groups.x + group.x) * 256u + lane;
  // A loop without turns is the only thing that a software driver skips.
  let end = select(0u, min(SIZE, first + 256u), counter[0] % K == 0u);
  for (var i = first; i < end; i += 64u) {
    let next = slow[i] + ALPHA * (p[i] - slow[i]);
    slow[i] = next;
    p[i] = next;
  }
}
