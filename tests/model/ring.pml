/* The ring's recycle protocol (counters/rings/ring.c) as one place that chunks 1, 2, 3 take in turn: an owner that adds and
 * recycles, and a reader that looks at the epoch before and after (readers write nothing, so one stands for all). Every store and load is a step of its own, and spin walks all
 * their interleavings, as a sequentially consistent machine could make them. docs/model.md says what that proves.
 *
 * Compiled with NO_INVALIDATE or NO_SECOND_LOOK, a step is left out, and the search must find what goes wrong then. */
#define SLOTS 2
#define CHUNKS 3
#define ADDS 2
#define NONE 0
#define AT(chunk, slot) ((chunk) * SLOTS + (slot))

byte epoch = 1;
byte count[SLOTS];
byte total;

byte truth[(CHUNKS + 1) * SLOTS]; /* what was really counted: never recycled, changed together with the count it stands for */

proctype owner() {
    byte chunk = 1, adds, slot;
    do
    :: chunk <= CHUNKS ->
        adds = 0;
        do
        :: adds < ADDS ->
            if
            :: slot = 0
            :: slot = 1
            fi;
            atomic { count[slot]++; truth[AT(chunk, slot)]++ };
            total++;
            adds++
        :: adds < ADDS -> adds++ /* or no event */
        :: adds == ADDS -> break
        od;
        chunk++;
#ifndef NO_INVALIDATE
        epoch = NONE;
#endif
        total = 0;
        count[0] = 0;
        count[1] = 0;
        epoch = chunk
    :: else -> break
    od
}

/* ring_total, then ring_read, as the flush does it. */
proctype reader() {
    byte want;
    byte least[SLOTS], seen[SLOTS], sum_before, e;
    bool total_held = false;
    select (want : 1 .. CHUNKS);
    e = epoch;
    if
    :: e == want ->
        sum_before = total;
        e = epoch;
        total_held = (e == want)
    :: else
    fi;
    atomic { least[0] = truth[AT(want, 0)]; least[1] = truth[AT(want, 1)] };
    e = epoch;
    if
    :: e != want -> goto gone
    :: else
    fi;
    seen[0] = count[0];
    seen[1] = count[1];
#ifndef NO_SECOND_LOOK
    e = epoch;
    if
    :: e != want -> goto gone
    :: else
    fi;
#endif
    assert(least[0] <= seen[0] && seen[0] <= truth[AT(want, 0)]); /* true at some moment while we read */
    assert(least[1] <= seen[1] && seen[1] <= truth[AT(want, 1)]);
    assert(!total_held || sum_before <= seen[0] + seen[1]); /* an unchanged total hides no change */
gone:
    skip
}

init {
    atomic {
        run owner();
        run reader()
    }
}
