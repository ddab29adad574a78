// mean, variance [SETS] of COUNT elements each, from the means and the sums of squares [PARTS, SETS] of parts of CHUNK
// elements, the last of which may have fewer. An invocation takes a set.

const SETS: u32 = 1u;
const PARTS: u32 = 1u;
const CHUNK: u32 = 1u;
const COUNT: u32 = 1u;

@group(0) @binding(0) var<storage, read> means: array<f32>;
@group(0) @binding(1) var<storage, read> squares: array<f32>;
@group(0) @binding(2) var<storage, read_write> mean: array<f32>;
@group(0) @binding(3) var<storage, read_write> variance: array<f32>;

const LAST: u32 = COUNT - (PARTS - 1u) * CHUNK;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let own = (group.y * groups.x + group.x) * 64u + lane;
  if (own >= SETS) {
    return;
  }
  // What the parts are off the first is small, where the means are large.
  let base = means[own];
  var off = 0.0;
  for (var part = 1u; part < PARTS; part++) {
    off += f32(select(CHUNK, LAST, part == PARTS - 1u)) * (means[part * SETS + own] - base);
  }
  off /= f32(COUNT);
  var total = 0.0;
  for (var part = 0u; part < PARTS; part++) {
    let apart = means[part * SETS + own] - base - off;
    total += squares[part * SETS + own] + f32(select(CHUNK, LAST, part == PARTS - 1u)) * apart * apart;
  }
  mean[own] = base + off;
  variance[own] = total / f32(COUNT);
}
