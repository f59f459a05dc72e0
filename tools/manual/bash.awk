# Cases of a bash completion: the flags of one command and their values. Runs after lists.awk.
$1 == "F" {
    flags = flags " --" $2
    kind = kind_of($3)
    if ($3 != "") { values = values "            --" $2 ") kind='" (kind == "" ? "none" : kind) "'" (kind == "words" ? " words='" words_of($3) "'" : "") " ;;\n" }
}
END {
    printf "        '%s')\n            flags='%s --help --help-all --version'\n            case $before in\n%s            esac\n            ;;\n",
        command, substr(flags, 2), values
}
