// x [SIZE] = −x in place, EACH vectors of four an invocation, in order: measures how fast memory streams in and out.
// A copy would be slower than that on processors, which first read what they are about to overwrite.

// A multiple of 64 EACH.
const SIZE: u32 = 64u;
const EACH: u32 = 1u;

@group(0) @binding(0) var<storage, read_write> x: array<vec4f>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let first = (group.y * groups.x + group.x) * 64u * EACH + lane;
  if (first < SIZE) {
    // Neighbours take neighbouring vectors.
    // @unroll
    for (var i = 0u; i < EACH; i++) {
      x[first + i * 64u] = -x[first + i * 64u];
    }
  }
}
