// mean, variance [SETS] of sets of COUNT elements, from the means and the sums of squared deviations [CHUNKS, SETS] of
// their chunks, which have CHUNK elements each; the last may have fewer. An invocation computes a set.

const SETS: u32 = 1u;
const CHUNKS: u32 = 1u;
const CHUNK: u32 = 1u;
const COUNT: u32 = 1u;

@group(0) @binding(0) var<storage, read> means: array<f32>;
@group(0) @binding(1) var<storage, read> squares: array<f32>;
@group(0) @binding(2) var<storage, read_write> mean: array<f32>;
@group(0) @binding(3) var<storage, read_write> variance: array<f32>;

const LAST: u32 = COUNT - (CHUNKS - 1u) * CHUNK;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let s = (group.y * groups.x + group.x) * 64u + lane;
  if (s >= SETS) {
    return;
  }
  // The distances from the first mean are small, even where the means are large.
  let base = means[s];
  var shift = 0.0;
  for (var c = 1u; c < CHUNKS; c++) {
    shift += f32(select(CHUNK, LAST, c == CHUNKS - 1u)) * (means[c * SETS + s] - base);
  }
  shift /= f32(COUNT);
  var total = 0.0;
  for (var c = 0u; c < CHUNKS; c++) {
    let deviation = means[c * SETS + s] - base - shift;
    total += squares[c * SETS + s] + f32(select(CHUNK, LAST, c == CHUNKS - 1u)) * deviation * deviation;
  }
  mean[s] = base + shift;
  variance[s] = total / f32(COUNT);
}
