/**
 * What `wgrad doctor` knows about the operating system: its name, and the commands that install and update drivers.
 *
 * @module
 */

/** An operating system, and its remedies. */
export interface System {
  /** The name that the system gives itself, such as `Debian GNU/Linux 12 (bookworm)`. */
  readonly name: string;
  /** What to do if there is no graphics driver, or only a software driver: a sentence. */
  readonly installDriver: string;
  /** What to do if a driver fails: a sentence. */
  readonly updateDriver: string;
}

/** The commands of Linux distributions, by the names in their `ID` and `ID_LIKE`. */
const DISTRIBUTIONS: Readonly<Record<string, { readonly install: string; readonly update: string }>> = {
  debian: {
    install: "apt-get install mesa-vulkan-drivers",
    update: "apt-get update && apt-get install --only-upgrade mesa-vulkan-drivers",
  },
  fedora: { install: "dnf install mesa-vulkan-drivers", update: "dnf upgrade mesa-vulkan-drivers" },
  arch: {
    install: "pacman -S vulkan-icd-loader vulkan-radeon vulkan-intel vulkan-swrast",
    update: "pacman -Syu",
  },
  suse: { install: "zypper install libvulkan_radeon libvulkan_intel libvulkan_lvp", update: "zypper update" },
  alpine: { install: "apk add mesa-vulkan-ati mesa-vulkan-intel mesa-vulkan-swrast", update: "apk upgrade" },
};

/**
 * Describes a system.
 *
 * @param release the text of `/etc/os-release`, if the system has that file
 */
export function systemOf(os: typeof Deno.build.os, release = ""): System {
  const field = (name: string) => release.match(new RegExp(`^${name}=["']?([^"'\\n]*)`, "m"))?.[1] ?? "";
  switch (os) {
    case "darwin":
      return {
        name: "macOS",
        installDriver: "WebGPU needs Metal, which every Mac since 2012 has: `softwareupdate --install --all`, or run " +
          "outside a virtual machine",
        updateDriver: "update macOS, which has the driver: `softwareupdate --install --all`",
      };
    case "windows":
      return {
        name: "Windows",
        installDriver:
          "install the graphics card's current driver (DirectX 12 or Vulkan): `winget upgrade --all`, or from " +
          "its maker",
        updateDriver: "install the graphics card's current driver from its maker, or try `--backend vulkan`",
      };
    case "linux": {
      const words = `${field("ID")} ${field("ID_LIKE")}`.split(" ").map((word) => word.replace(/^opensuse.*/, "suse"));
      const known = words.find((word) => Object.hasOwn(DISTRIBUTIONS, word.replace(/^(rhel|centos)$/, "fedora")));
      const commands = known && DISTRIBUTIONS[known.replace(/^(rhel|centos)$/, "fedora")];
      const nvidia = "; NVIDIA's cards need NVIDIA's own driver";
      return {
        name: field("PRETTY_NAME") || "Linux",
        installDriver: commands
          ? `install a Vulkan driver, as root: \`${commands.install}\`, which also holds a software driver${nvidia}`
          : `install a Vulkan driver: Mesa's (Debian: \`apt-get install mesa-vulkan-drivers\`)${nvidia}`,
        updateDriver: commands ? `update the driver, as root: \`${commands.update}\`` : "update the graphics driver",
      };
    }
    default:
      return {
        name: os,
        installDriver: "install a Vulkan driver for this system",
        updateDriver: "update the graphics driver",
      };
  }
}

/** The system that the program runs on. */
export async function readSystem(): Promise<System> {
  const release = Deno.build.os === "linux" ? await Deno.readTextFile("/etc/os-release").catch(() => "") : "";
  return systemOf(Deno.build.os, release);
}
