/* The undo record of a worker (counters/rows/undo.h, undo_roll_back in undo.c): transactions over the words of rows, each followed by the
 * count of its event in the dense rings; a kill before any store; and the recovery of the next start, which may be killed, too. A killed
 * thread has executed a prefix of its stores, so one process that may be stopped before each of them is all there is to explore.
 * docs/model.md says what that proves.
 *
 * A transaction notes one word or both and then stores them; it may note and store one of them once more. After a recovery it goes on.
 *
 * Compiled with LATE_COUNT, words are stored before their notes are counted; with STATE_FIRST, a transaction is open before the notes of
 * the one before it are dropped; with FORWARD, old values are restored in the order in which they were noted; with NO_COUNT, a commit
 * does not say what the window's count will be. The search must find what goes wrong then. */
#define WORDS 2
#define NOTES 3
#define TRANSACTIONS 3

byte word[WORDS], dense;                              /* the rows and the window: what was counted */
byte state, entries, where[NOTES], old[NOTES], count; /* the record */
byte want[WORDS], next[WORDS], events;                /* what the last commit made true, and the open transaction would */

/* A store. The process may be killed before it. */
#define STEP(store) if :: goto killed :: store fi

inline note(w) {
    STEP(where[n] = w);
    STEP(old[n] = word[w]);
    n++
}

inline change(w) {
    if
    :: goto killed
    :: d_step { word[w] = word[w] + 1; next[w] = word[w] }
    fi
}

inline transaction() {
#ifdef STATE_FIRST
    STEP(state = 2 * sequence + 1);
    STEP(entries = 0);
#else
    STEP(entries = 0);
    STEP(state = 2 * sequence + 1);
#endif
    d_step { n = 0; next[0] = want[0]; next[1] = want[1] };
    if
    :: from = 0; to = 1
    :: from = 0; to = 2
    :: from = 1; to = 2
    fi;
    at = from;
    do
    :: at < to -> note(at); at++
    :: else -> break
    od;
#ifndef LATE_COUNT
    STEP(entries = n);
#endif
    at = from;
    do
    :: at < to -> change(at); at++
    :: else -> break
    od;
#ifdef LATE_COUNT
    STEP(entries = n);
#endif
    if
    :: note(0); STEP(entries = n); change(0)
    :: note(1); STEP(entries = n); change(1)
    :: true
    fi;
#ifndef NO_COUNT
    STEP(count = dense + 1);
#endif
    if
    :: goto killed
    :: d_step { state = 2 * sequence; want[0] = next[0]; want[1] = next[1]; events++ }
    fi;
    STEP(dense = dense + 1)
}

/* Restores what an open transaction changed. Killed once within, it begins anew. */
inline roll_back() {
#ifdef FORWARD
    at = 0;
    do
    :: at < entries -> word[where[at]] = old[at]; at++
    :: else -> break
    od;
#else
    at = entries;
    do
    :: at > 0 && !killed_again -> killed_again = true; at = entries
    :: at > 0 -> at--; word[where[at]] = old[at]
    :: else -> break
    od;
#endif
    count = 0;
    if
    :: !killed_again -> killed_again = true; at = entries; goto recovery
    :: true
    fi;
    state = state / 2 * 2
}

active proctype worker() {
    byte sequence = 1, starts, n, from, to, at;
    bool killed_again;
again:
    do
    :: sequence <= TRANSACTIONS -> transaction(); sequence++
    :: else -> break
    od;
killed:
    killed_again = false;
recovery:
    if
    :: state % 2 == 1 -> roll_back()
    :: else
    fi;
    if
    :: dense < count -> dense = count
    :: else
    fi;
    assert(word[0] == want[0] && word[1] == want[1]); /* all of a transaction, or nothing of it */
    assert(dense == events);                          /* and rows and windows agree */
    if
    :: starts < 2 && sequence <= TRANSACTIONS -> starts++; sequence = state / 2 + 1; goto again
    :: true
    fi
}
