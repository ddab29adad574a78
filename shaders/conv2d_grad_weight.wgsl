// dw [PARTS, GROUPS O, C, KH, KW] from x [N, GROUPS C, H, W] and dy [N, GROUPS O, OH, OW]: the rows of dy are dealt out
// to PARTS, in turn, and each part sums its own. An invocation sums all taps of DEEP output channels for one input channel,
// in registers, taking ACROSS neighbours of a row of dy at a time.

const N: u32 = 1u;
const C: u32 = 1u;
const H: u32 = 1u;
const W: u32 = 1u;
const O: u32 = 1u;
const OH: u32 = 1u;
const OW: u32 = 1u;
const KH: u32 = 1u;
const KW: u32 = 1u;
const GROUPS: u32 = 1u;
const STEP_H: i32 = 1;
const STEP_W: i32 = 1;
const PAD_H: i32 = 0;
const PAD_W: i32 = 0;
const DIL_H: i32 = 1;
const DIL_W: i32 = 1;
const PARTS: u32 = 1u;
const DEEP: u32 = 1u;
const ACROSS: u32 = 1u;

const DEPTHS: u32 = (O + DEEP - 1u) / DEEP;
const SPAN: u32 = (ACROSS - 1u) * u32(STEP_W) + (KW - 1u) * u32(DIL_W) + 1u;
const STRIPS: u32 = (OW + ACROSS - 1u) / ACROSS;
// No window reaches over an edge of x.
const INSIDE: bool = PAD_H == 0 && PAD_W == 0 && (i32(STRIPS * ACROSS) - 1) * STEP_W + (i32(KW) - 1) * DIL_W < i32(W);

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read_write> dw: array<f32>;

@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = (id.y * groups.x + id.x) * 8u + lane;
  if (i >= PARTS * DEPTHS * C * GROUPS) {
    return;
  }
  let part = i % PARTS;
  let c = i / PARTS % C;
  let depth = i / PARTS / C % DEPTHS * DEEP;
  let group = i / PARTS / C / DEPTHS;
  var total: array<f32, DEEP * KH * KW>;
  for (var line = part; line < N * OH; line += PARTS) {
    let n = line / OH;
    let row = line % OH;
    let plane = (n * GROUPS * C + group * C + c) * H * W;
    for (var strip = 0u; strip < STRIPS; strip++) {
      let left = strip * ACROSS;
      var grad: array<f32, DEEP * ACROSS>;
      // @unroll
      for (var o = 0u; o < DEEP; o++) {
        let start = ((n * GROUPS * O + group * O + min(depth + o, O - 1u)) * OH + row) * OW;
        // @unroll
        for (var t = 0u; t < ACROSS; t++) {
          grad[o * ACROSS + t] = select(0.0, dy[start + min(left + t, OW - 1u)], left + t < OW);
        }
      }
      // @unroll
      for (var ky = 0u; ky < KH; ky++) {
        let from_y = i32(row) * STEP_H - PAD_H + i32(ky) * DIL_H;
        let y_ok = INSIDE || (from_y >= 0 && from_y < i32(H));
        let start = plane + u32(clamp(from_y, 0, i32(H) - 1)) * W;
        let from_x = i32(left) * STEP_W - PAD_W;
        var span: array<f32, SPAN>;
        // @unroll
        for (var j = 0u; j < SPAN; j++) {
          let at = from_x + i32(j);
          let ok = INSIDE || (y_ok && at >= 0 && at < i32(W));
          span[j] = select(0.0, x[start + u32(clamp(at, 0, i32(W) - 1))], ok);
        }
        // @unroll
        for (var o = 0u; o < DEEP; o++) {
          // @unroll
          for (var kx = 0u; kx < KW; kx++) {
            // @unroll
            for (var t = 0u; t < ACROSS; t++) {
              total[(o * KH + ky) * KW + kx] += grad[o * ACROSS + t] * span[t * u32(STEP_W) + kx * u32(DIL_W)];
            }
          }
        }
      }
    }
  }
  // @unroll
  for (var o = 0u; o < DEEP; o++) {
    if (depth + o < O) {
      let to = ((part * GROUPS * O + group * O + depth + o) * C + c) * KH * KW;
      // @unroll
      for (var k = 0u; k < KH * KW; k++) {
        dw[to + k] = total[o * KH * KW + k];
      }
    }
  }
}
