// dx [outer, RUN, INNER] = dy [outer, INNER] where the position along the run is index [outer, INNER], and 0 elsewhere.

const SIZE: u32 = 1u;
const RUN: u32 = 1u;
const INNER: u32 = 1u;

@group(0) @binding(0) var<storage, read> dy: array<f32>;
@group(0) @binding(1) var<storage, read> index: array<u32>;
@group(0) @binding(2) var<storage, read_write> dx: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = (group.y * groups.x + group.x) * 64u + lane;
  if (i >= SIZE) {
    return;
  }
  let start = i / INNER / RUN * INNER + i % INNER;
  dx[i] = select(0.0, dy[start], index[start] == i / INNER % RUN);
}
