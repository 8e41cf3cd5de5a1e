// What a shell runs when TAB is pressed: it hands over the words and shows what comes back, a candidate and what it is in each line.

/** bash takes words apart at colons, which our names have: they are read anew from the line, and what is there already is cut off. */
const BASH = `_lendbuf() {
  local line=\${COMP_LINE:0:COMP_POINT} prefix= candidate
  local -a words
  IFS=$' \\t' read -ra words <<< "$line"
  [[ $line == *[[:space:]] ]] && words+=("")
  local current=\${words[-1]}
  [[ $COMP_WORDBREAKS == *:* && $current == *:* ]] && prefix=\${current%"\${current##*:}"}
  COMPREPLY=()
  while IFS=$'\\t' read -r candidate _; do
    COMPREPLY+=("\${candidate#"$prefix"}")
  done < <("$1" complete -- "\${words[@]:1}" 2> /dev/null)
}
complete -o default -F _lendbuf lendbuf
`;

const ZSH = `#compdef lendbuf
_lendbuf() {
  local -a candidates
  local text about
  while IFS=$'\\t' read -r text about; do
    candidates+=("\${text//:/\\\\:}:$about")
  done < <("$words[1]" complete -- "\${(@)words[2,CURRENT-1]}" "$PREFIX" 2> /dev/null)
  if (( $#candidates )); then _describe -V lendbuf candidates; else _files; fi
}
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then _lendbuf "$@"; else compdef _lendbuf lendbuf; fi
`;

const FISH = `function __lendbuf_complete
  set -l words (commandline -opc)
  set -l current (commandline -ct)
  set -l found ($words[1] complete -- $words[2..-1] "$current" 2> /dev/null)
  if test (count $found) -gt 0
    printf '%s\\n' $found
  else
    __fish_complete_path "$current"
  end
end
complete -c lendbuf -f -a '(__lendbuf_complete)'
`;

export const SCRIPTS = { bash: BASH, zsh: ZSH, fish: FISH };
export type Shell = keyof typeof SCRIPTS;
