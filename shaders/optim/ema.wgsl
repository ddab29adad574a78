// An exponential moving average p of the parameters g, for optimizer_update.wgsl. The rate is 1 − the decay.

fn update(s: vec4f, g: vec4f, p: ptr<function, vec4f>, a: ptr<function, vec4f>, b: ptr<function, vec4f>, c: ptr<function, vec4f>) {
  *p += s.x * (g - *p);
}
