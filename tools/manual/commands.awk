# The commands of a program, one per line: the words up to the first placeholder. Runs after lists.awk.
$1 == "U" && read_command($2) {
    n = split(synopsis, word, " ")
    m = split(word[2], first, /[|,]/)
    for (i = 1; i <= m; i++) {
        if (first[i] == "") { continue }
        print first[i]
        k = word[3] ~ /^[a-z|]+$/ ? split(word[3], second, "|") : 0
        for (j = 1; j <= k; j++) { print first[i] " " second[j] }
    }
    # "reports, report NAME"
    if (word[2] ~ /,$/ && word[3] ~ /^[a-z]+$/) { print word[3] }
}
