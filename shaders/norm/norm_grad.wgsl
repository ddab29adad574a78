// dx [SIZE] = r (w dy − f (plain + x̂ scaled) / COUNT), where r = 1 / √(variance + EPS), x̂ = (x − mean) r, and plain
// and scaled are the sums of dy and dy x̂ over the set; f is w, or 1 where the sums contain the weight. Where the mean and
// the variance were given instead of COMPUTED from x, dx = r w dy. Sets, channels and vectors are those of norm.wgsl.

alias V = f32;
alias W = f32;
const SIZE: u32 = 1u;
const SETS: u32 = 1u;
const INNER: u32 = 1u;
const CHANNELS: u32 = 1u;
const PLANE: u32 = 1u;
const COUNT: u32 = 1u;
const EPS: f32 = 0.0;
const WEIGHT: bool = true;
const WEIGHTED_SUMS: bool = false;
const COMPUTED: bool = true;

@group(0) @binding(0) var<storage, read> dy: array<V>;
// @if COMPUTED
@group(0) @binding(1) var<storage, read> x: array<V>;
// @if COMPUTED
@group(0) @binding(2) var<storage, read> mean: array<f32>;
@group(0) @binding(3) var<storage, read> variance: array<f32>;
// @if COMPUTED
@group(0) @binding(4) var<storage, read> plain: array<f32>;
// @if COMPUTED
@group(0) @binding(5) var<storage, read> scaled: array<f32>;
// @if WEIGHT
@group(0) @binding(6) var<storage, read> weight: array<W>;
@group(0) @binding(7) var<storage, read_write> dx: array<V>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let e = (group.y * groups.x + group.x) * 64u + lane;
  if (e >= SIZE) {
    return;
  }
  let s = e / INNER % SETS;
  let r = inverseSqrt(variance[s] + EPS);
  var w = W(1.0);
  // @if WEIGHT
  w = weight[e / PLANE % CHANNELS];
  var d = w * dy[e];
  // @if COMPUTED
  d -= select(w, W(1.0), WEIGHTED_SUMS) * (plain[s] + (x[e] - mean[s]) * r * scaled[s]) / f32(COUNT);
  dx[e] = r * d;
}
