# Arguments of a zsh completion: the flags of one command. Runs after lists.awk.
function quoted(text) {
    gsub(/'/, "'\\''", text)
    gsub(/\\/, "\\\\", text)
    gsub(/:/, "\\:", text)
    gsub(/\[/, "\\[", text)
    gsub(/\]/, "\\]", text)
    return text
}
$1 == "F" {
    kind = kind_of($3)
    action = kind == "dir" ? "_files -/" : kind == "file" ? "_files" : kind == "words" ? "(" words_of($3) ")" : ""
    printf "                '%s--%s%s[%s]%s' \\\n", $3 == "" ? "" : "*", $2, $3 == "" ? "" : "=", quoted($6), $3 == "" ? "" : ":" quoted($3) ":" action
}
