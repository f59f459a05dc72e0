# What --help-lists says (common/options.c), for the scripts that make something of it: lines of a letter and fields between tabs.
#   U  a line of what help begins with    H  heading    F  flag, argument, default, variable, sentence    M  a line of what it ends with
# `on_flag`, `on_heading` and the like are the other file's.
BEGIN { FS = "\t" }

function sentence_of(text) { # "where to listen" -> "Where to listen."
    text = toupper(substr(text, 1, 1)) substr(text, 2)
    sub(/:$/, "", text)
    return text ~ /[.;]$/ ? text : text "."
}
function words_of(argument) { # "event|arrival" -> "event arrival"; "": it is no choice
    if (argument !~ /^[a-z]+(\|[a-z]+)+$/) { return "" }
    gsub(/\|/, " ", argument)
    return argument
}
function kind_of(argument) { # what a shell completes there
    return argument == "DIR" ? "dir" : argument == "FILE" || argument == "PATH" ? "file" : words_of(argument) != "" ? "words" : ""
}
# A line "Usage: aforo total [flags]   how many there were" -> synopsis, does; false: it is none.
function read_command(line) {
    if (line !~ /^(Usage: |       )[a-z]/) { return 0 }
    line = substr(line, 8)
    if (match(line, /  +/)) {
        synopsis = substr(line, 1, RSTART - 1)
        does = substr(line, RSTART + RLENGTH)
    } else {
        synopsis = line
        does = ""
    }
    return 1
}
