/**
 * `wgrad completions SHELL`: a script with which a shell completes commands, flags and values. It is made from the same
 * tables that parse them.
 *
 * @module
 */
import {
  type Command,
  type CommandEntry,
  defineCommand,
  documentedSpellings,
  type Flag,
  HELP_FLAG,
  loadCommands,
} from "./flags.ts";

/** The shells by name, each with the function that makes its script. */
const SHELLS = { bash, zsh, fish } as const;
type Shell = keyof typeof SHELLS;

/** Makes `wgrad completions` for a list of commands. */
export function completionsCommand(commands: readonly CommandEntry[]): Command {
  return defineCommand({
    name: "completions",
    summary: "Print a script that completes commands in a shell",
    description:
      "Prints a script that makes bash, zsh or fish complete the commands, flags, values and file names of wgrad.",
    positional: [{ name: "SHELL", choices: Object.keys(SHELLS), help: "The shell" }],
    flags: [],
    examples: [
      ["source <(wgrad completions bash)", "Complete in this bash; put the line into ~/.bashrc for every new one"],
      ['wgrad completions zsh > "${fpath[1]}/_wgrad"', "Complete in every new zsh"],
      ["wgrad completions fish > ~/.config/fish/completions/wgrad.fish", "Complete in every new fish"],
    ],
    async run({ positional }): Promise<number> {
      console.log(SHELLS[positional[0] as Shell](await loadCommands(commands)));
      return 0;
    },
  });
}

/**
 * What completes a value: a list of words, the names of files or of folders, the names of runs or of data sets as well as
 * of files, or nothing ("anything").
 */
type Source = readonly string[] | "file" | "folder" | "run" | "data" | "anything";

/** The data sets that have a name. */
const DATA_SETS = "cifar10 synthetic";

function sourceOf(name: string, choices: readonly string[] | undefined): Source {
  if (choices !== undefined) return choices;
  if (/DIR/.test(name)) return "folder";
  if (name === "RUN") return "run";
  if (name === "DATA") return "data";
  return /FILE|IMAGE/.test(name) ? "file" : "anything";
}

const takesValue = ({ kind, optionalValue }: Flag) => kind !== "boolean" && !optionalValue;
const valueOf = (flag: Flag) => sourceOf(flag.value ?? "", flag.choices);
const flagsOf = ({ flags }: Command): readonly Flag[] => [...flags, HELP_FLAG];
/** What completes each positional argument. */
const argumentsOf = ({ positional = [] }: Command): Source[] =>
  positional.map(({ name, choices }) => sourceOf(name, choices));

function bash(commands: readonly Command[]): string {
  const offer = (sources: readonly Source[]) => {
    const words = sources.flatMap((source) => typeof source === "string" ? [] : source);
    if (words.length > 0) return `_wgrad_words "${words.join(" ")}"`;
    if (sources.includes("run")) return "_wgrad_runs";
    if (sources.includes("data")) return "_wgrad_data";
    return sources.includes("file") ? "_wgrad_files -f" : sources.includes("folder") ? "_wgrad_files -d" : ":";
  };
  const values = commands.flatMap((command) =>
    flagsOf(command).filter(takesValue).map((flag) =>
      `    ${documentedSpellings(flag).map((form) => `"${command.name} ${form}"`).join(" | ")}) ${
        offer([valueOf(flag)])
      }; return ;;`
    )
  );
  const words = commands.map((command) =>
    `    ${command.name})
      case $word in
        -*) _wgrad_words "${flagsOf(command).flatMap(documentedSpellings).join(" ")}" ;;
        *) ${offer(argumentsOf(command))} ;;
      esac ;;`
  );
  return `# Completes wgrad's command lines in bash: source <(wgrad completions bash)
_wgrad_words() { COMPREPLY=($(compgen -W "$1" -- "$word")); }
_wgrad_files() {
  local IFS=$'\\n'
  compopt -o filenames 2>/dev/null
  COMPREPLY=($(compgen "$1" -- "$word"))
}
_wgrad_runs() {
  local IFS=$'\\n' runs=$(compgen -d -- "runs/$word")
  _wgrad_files -f
  COMPREPLY=(\${runs//runs\\//} "\${COMPREPLY[@]}")
}
_wgrad_data() {
  local IFS=$'\\n' names=$(IFS=' '; compgen -W "${DATA_SETS}" -- "$word")
  _wgrad_files -f
  COMPREPLY=($names "\${COMPREPLY[@]}")
}
_wgrad() {
  local word=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD - 1]} command=\${COMP_WORDS[1]}
  COMPREPLY=()
  # Bash splits --flag=value into three words.
  if [[ $word == = ]]; then word=; elif [[ $before == = ]]; then before=\${COMP_WORDS[COMP_CWORD - 2]}; fi
  if ((COMP_CWORD < 2)); then
    _wgrad_words "${commands.map(({ name }) => name).join(" ")} --help --version"
    return
  fi
  case "$command $before" in
${values.join("\n")}
  esac
  case $command in
${words.join("\n")}
  esac
}
complete -F _wgrad wgrad`;
}

function zsh(commands: readonly Command[]): string {
  const quote = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;
  const plain = (text: string) => text.replace(/[\\:[\]]/g, "\\$&");
  const action = (source: Source) =>
    source === "file"
      ? "_files"
      : source === "folder"
      ? "_files -/"
      : source === "run"
      ? "_wgrad_runs"
      : source === "data"
      ? "_wgrad_data"
      : source === "anything"
      ? " "
      : `(${plain(source.join(" "))})`;
  const specs = (command: Command) => [
    ...flagsOf(command).flatMap((flag) =>
      documentedSpellings(flag).map((form) => {
        const many = flag.kind === "list" ? "*" : "", help = `[${plain(flag.help)}]`;
        if (!takesValue(flag)) return `${many}${form}${help}`;
        return `${many}${form}${form.startsWith("--") ? "=" : ""}${help}:${plain(flag.value ?? "value")}:${
          action(valueOf(flag))
        }`;
      })
    ),
    ...argumentsOf(command).map((source) => `*:argument:${action(source)}`).slice(0, 1),
  ];
  return `#compdef wgrad
# Completes wgrad's command lines in zsh: save it as a file _wgrad in a folder of $fpath, or source it after compinit.
_wgrad_runs() {
  local -a runs=(runs/*(N/:t))
  _alternative "runs:run:($runs)" 'files:file:_files'
}
_wgrad_data() {
  _alternative 'data:data set:(${DATA_SETS})' 'files:file:_files'
}
_wgrad() {
  local -a commands
  commands=(
${commands.map(({ name, summary }) => `    ${quote(`${name}:${summary}`)}`).join("\n")}
  )
  if ((CURRENT == 2)); then
    _describe command commands
    _arguments '--help[Show the help]' '--version[Show the version]'
    return
  fi
  local command=$words[2]
  shift words
  ((CURRENT--))
  case $command in
${
    commands.map((command) =>
      `    ${command.name})\n      _arguments \\\n${
        specs(command).map((spec) => `        ${quote(spec)}`).join(" \\\n")
      } ;;`
    ).join("\n")
  }
  esac
}
if [[ $funcstack[1] == _wgrad ]]; then _wgrad "$@"; else compdef _wgrad wgrad; fi`;
}

function fish(commands: readonly Command[]): string {
  const quote = (text: string) => `'${text.replace(/[\\']/g, "\\$&")}'`;
  const offer = (source: Source) =>
    source === "file"
      ? "-r -F"
      : source === "folder"
      ? "-x -a '(__fish_complete_directories)'"
      : source === "run"
      ? "-r -F -a '(__wgrad_runs)'"
      : source === "data"
      ? `-r -F -a '${DATA_SETS}'`
      : source === "anything"
      ? "-x"
      : `-x -a ${quote(source.join(" "))}`;
  const lines = [
    "# Completes wgrad's command lines in fish.",
    "function __wgrad_runs",
    "  for run in runs/*/",
    "    string replace -r '^runs/(.*)/$' '$1' $run",
    "  end",
    "end",
    "complete -c wgrad -f",
  ];
  for (const { name, summary } of commands) {
    lines.push(`complete -c wgrad -n __fish_use_subcommand -a ${name} -d ${quote(summary)}`);
  }
  lines.push("complete -c wgrad -n __fish_use_subcommand -l help -s h -d 'Show the help'");
  lines.push("complete -c wgrad -n __fish_use_subcommand -l version -d 'Show the version'");
  for (const command of commands) {
    const start = `complete -c wgrad -n ${quote(`__fish_seen_subcommand_from ${command.name}`)}`;
    for (const source of argumentsOf(command)) {
      if (source === "file" || source === "folder") lines.push(`${start} -F`);
      else if (source === "run") lines.push(`${start} -F -a '(__wgrad_runs)'`);
      else if (source === "data") lines.push(`${start} -F -a '${DATA_SETS}'`);
      else if (source !== "anything") lines.push(`${start} -a ${quote(source.join(" "))}`);
    }
    for (const flag of flagsOf(command)) {
      for (const form of documentedSpellings(flag)) {
        const name = form.startsWith("--") ? `-l ${form.slice(2)}` : `-s ${form.slice(1)}`;
        lines.push(`${start} ${name}${takesValue(flag) ? ` ${offer(valueOf(flag))}` : ""} -d ${quote(flag.help)}`);
      }
    }
  }
  return lines.join("\n");
}
