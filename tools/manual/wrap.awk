# Wraps the prose of a page to 80 bytes a line; leaves macros and literal text alone.
/^\.Bd -literal/ { literal = 1 }
/^\.Ed/ { literal = 0 }
literal || /^\./ || length($0) <= 80 { print; next }
{
    n = split($0, word, " ")
    line = word[1]
    for (i = 2; i <= n; i++) {
        if (length(line) + length(word[i]) + 1 > 78 && word[i] !~ /^[.']/) { print line; line = word[i] } else { line = line " " word[i] }
    }
    print line
}
