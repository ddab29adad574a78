// The functions that an optimizer's own file has, such as adam.wgsl, which is included in place of this one: here those of
// plain gradient descent.

// The scalars of a step, given its count t, the rate, and how much of each of DECAYS is gone after t steps, 1 − βᵗ.
fn scalars_of(t: f32, rate: f32, lost: vec3f, product: ptr<function, f32>) -> vec4f {
  return vec4f(rate, t, lost.xy);
}

// s.x is the rate, the rest what `scalars_of` made.
fn update(s: vec4f, g: vec4f, p: ptr<function, vec4f>, a: ptr<function, vec4f>, b: ptr<function, vec4f>, c: ptr<function, vec4f>) {
  *p -= s.x * g;
}
