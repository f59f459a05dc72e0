# Reads the output of --help-lists (common/options.c) for the other scripts: lines of a letter and fields separated by tabs.
#   U  a line of the beginning of help    H  heading    F  flag, argument, default, variable, sentence    M  a line of its end
# The other file defines `on_flag`, `on_heading` and the like.
BEGIN { FS = "\t" }

function sentence_of(text) { # "where to listen" -> "Where to listen."
    text = toupper(substr(text, 1, 1)) substr(text, 2)
    sub(/:$/, "", text)
    return text ~ /[.;]$/ ? text : text "."
}
function words_of(argument) { # "event|arrival" -> "event arrival"; "": it is not a choice
    if (argument !~ /^[a-z]+(\|[a-z]+)+$/) { return "" }
    gsub(/\|/, " ", argument)
    return argument
}
function kind_of(argument) { # what a shell should complete there
    return argument == "DIR" ? "dir" : argument == "FILE" || argument == "PATH" ? "file" : words_of(argument) != "" ? "words" : ""
}
# Splits a line "Usage: aforo total [flags]   how many there were" into synopsis and does; false: it is not such a line.
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
