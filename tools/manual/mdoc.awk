# Makes a part of an mdoc(7) page from the lists; `part` says which: commands, flags, text (what help says before the flags), more.
# Runs after lists.awk.
function roff(text) {
    gsub(/\\/, "\\e", text)
    return text ~ /^[.']/ ? "\\&" text : text
}
function say(text) { # one sentence per line
    gsub(/\. +/, ".\n", text)
    n = split(text, line, "\n")
    for (i = 1; i <= n; i++) { if (line[i] != "") { print roff(line[i]) } }
}
function argument(text) { # a word that is a macro's argument, not a macro
    return text ~ /^[A-Z][a-z]$|^[A-Z][A-Z]$/ ? "\\&" text : text
}
function end_list() { if (listed) { print ".El" } listed = 0 }
part == "commands" && $1 == "U" && read_command($2) {
    if (!listed) { print ".Bl -tag -width Ds"; listed = 1 }
    sub(/^[a-z]+ /, "", synopsis)
    print ".It Ic " roff(synopsis)
    say(sentence_of(does))
}
part == "text" && $1 == "U" && $2 !~ /^(Usage: |       )/ {
    if ($2 == "") { if (said) { print ".Pp" } said = 0; next }
    say($2)
    said = 1
}
part == "flags" && $1 == "H" { end_list(); print ".Ss " roff($2) }
part == "flags" && $1 == "F" {
    if (!listed) { print ".Bl -tag -width Ds"; listed = 1 }
    print ".It Fl -" $2 ($3 == "" ? "" : " Ar " argument($3))
    say(sentence_of($6))
    if ($4 != "") { print "The default is"; print ".Cm " argument($4) " ." }
    if ($5 != "") { print "In the environment:"; print ".Ev " $5 " ." }
}
part == "more" && $1 == "M" && /^M\tExit status/ { ends = 1 } # this is a section of its own in the page
part == "more" && ends { next }
part == "more" && $1 == "M" && $2 ~ /^[^ ]/ { end_text(); print ".Ss " roff($2); next }
part == "more" && $1 == "M" && $2 == "" { blank = 1; next }
part == "more" && $1 == "M" {
    if (!literal) { print ".Bd -literal"; literal = 1 } else if (blank) { print "" }
    blank = 0
    print roff(substr($2, 3))
}
function end_text() { if (literal) { print ".Ed" } literal = blank = 0 }
END { end_list(); end_text() }
