# Lines of a fish completion: the flags of one command. Runs after lists.awk.
function quoted(text) {
    gsub(/\\/, "\\\\", text)
    gsub(/'/, "\\'", text)
    return "'" text "'"
}
BEGIN {
    n = split(command, word, " ")
    for (i = 1; i <= n; i++) { condition = condition (i > 1 ? "; and " : "") "__fish_seen_subcommand_from " word[i] }
}
$1 == "F" {
    kind = kind_of($3)
    value = $3 == "" ? "" : kind == "dir" ? " -x -a '(__fish_complete_directories)'" : kind == "file" ? " -r" : kind == "words" ? " -x -a " quoted(words_of($3)) : " -x"
    printf "complete -c %s%s -l %s%s -d %s\n", program, condition == "" ? "" : " -n " quoted(condition), $2, value, quoted($6)
}
