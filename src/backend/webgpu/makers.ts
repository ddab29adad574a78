/**
 * Whose an adapter is, and what drives it: what WebGPU does not tell, as far as the system does.
 *
 * @module
 */

/** Names of makers, by the identifiers that Vulkan and DirectX have for them. */
const MAKERS: Readonly<Record<number, string>> = {
  0x1002: "AMD",
  0x1010: "Imagination",
  0x106b: "Apple",
  0x10de: "NVIDIA",
  0x13b5: "Arm",
  0x1414: "Microsoft",
  0x1ae0: "Google",
  0x5143: "Qualcomm",
  0x8086: "Intel",
  0x10005: "Mesa",
};

/** The maker's name, by what the adapter calls it: a number, mostly. What is unknown stays as it is. */
export function makerOf(vendor: string): string {
  return MAKERS[Number(vendor)] ?? vendor;
}

/**
 * Linux: the files by which Vulkan's loader finds drivers, without `.json`, sorted. None on other systems, and where they
 * cannot be read. Which of them an adapter has, and its version, WebGPU does not tell.
 */
export async function vulkanDrivers(): Promise<string[]> {
  if (Deno.build.os !== "linux") return [];
  const found: string[] = [];
  for (const folder of ["/usr/share/vulkan/icd.d", "/etc/vulkan/icd.d", "/usr/local/share/vulkan/icd.d"]) {
    try {
      for await (const { name } of Deno.readDir(folder)) {
        if (name.endsWith(".json")) found.push(name.slice(0, -".json".length));
      }
    } catch { /* The folder is not there, or not ours to read: it holds no driver for us. */ }
  }
  return found.sort();
}
