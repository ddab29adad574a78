// x [SIZE] = −x, a vector of four an invocation, in order and in place: measures how fast memory streams in and out.
// A copy would be slower than that on processors, which first read what they are about to overwrite.

const SIZE: u32 = 1u;

@group(0) @binding(0) var<storage, read_write> x: array<vec4f>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  if (i < SIZE) {
    x[i] = -x[i];
  }
}
