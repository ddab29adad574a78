/**
 * The maker and the driver of an adapter. WebGPU does not say, so this asks the system as far as it can.
 *
 * @module
 */

/** Names of makers, by their identifiers in Vulkan and DirectX. */
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

/** The maker's name, by what the adapter reports: a number, mostly. An unknown maker stays as it is. */
export function makerOf(vendor: string): string {
  return MAKERS[Number(vendor)] ?? vendor;
}

/**
 * On Linux, the names of the files by which Vulkan's loader finds drivers, without `.json`, sorted. None on other systems,
 * or if they cannot be read. WebGPU says neither which of them drives an adapter nor its version.
 */
export async function vulkanDrivers(): Promise<string[]> {
  if (Deno.build.os !== "linux") return [];
  const found: string[] = [];
  for (const folder of ["/usr/share/vulkan/icd.d", "/etc/vulkan/icd.d", "/usr/local/share/vulkan/icd.d"]) {
    try {
      for await (const { name } of Deno.readDir(folder)) {
        if (name.endsWith(".json")) found.push(name.slice(0, -".json".length));
      }
    } catch { /* The folder does not exist, or cannot be read: it holds no driver for us. */ }
  }
  return found.sort();
}

/** What to do on this system when no adapter is found. */
export function remedy(os: typeof Deno.build.os = Deno.build.os): string {
  switch (os) {
    case "linux":
      return "install a Vulkan driver (on Debian and Ubuntu: apt-get install mesa-vulkan-drivers, which also holds a software driver)";
    case "darwin":
      return "WebGPU needs Metal, which every Mac since 2012 has: update macOS, or run outside a virtual machine";
    case "windows":
      return "install the graphics card's current driver (DirectX 12 or Vulkan)";
    default:
      return "install a Vulkan driver for this system";
  }
}
