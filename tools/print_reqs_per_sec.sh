#!/bin/sh
# Prints counted events per second: "2016-05-28 11:11:11.000, 122". All of aforo's flags can be given.
here=$(dirname "$(readlink -f "$0")")
for aforo in "$here"/../build/release/bin/aforo "$here"/../build/*/bin/aforo "$here"/../bin/aforo "$(command -v aforo)"; do
    if [ -f "$aforo" ] && [ -x "$aforo" ]; then
        exec "$aforo" 1s "$@"
    fi
done
echo "${0##*/}: the program aforo is neither built nor installed: run tools/run" >&2
exit 1
