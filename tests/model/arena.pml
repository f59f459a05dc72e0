/* The circle of a table (counters/rows/table_owner.c, table_read.c): an owner that makes rows, changes them within transactions, and
 * lets go of old ones for their place; and a reader that copies one row. Every store and load is a step of its own, and spin walks all
 * their interleavings, as a sequentially consistent machine could make them. docs/model.md says what that proves.
 *
 * A row may be put back within its transaction, and its place be taken by the next at once.
 *
 * The circle has room for ROOM rows; row number n lives in place n % ROOM. A row's two words always change together within one
 * transaction, and say which row they are of: n * 10 + the number of its events.
 *
 * Compiled with NO_SECOND_LOOK, NO_TAIL_LOOK or NO_COMMIT_LOOK, a step of the reader is left out; with LATE_TAIL the owner writes a row
 * before it moves the tail. The search must find what goes wrong then. */
#define ROOM 2
#define ROWS 4 /* numbers ROOM .. ROOM + ROWS - 1: 0 is no row's */
#define AT(n) ((n) % ROOM)

byte touched[ROOM], first[ROOM], second[ROOM];
byte head = ROOM, tail = ROOM; /* the newest row's number is head - 1 */
byte newest;                   /* where the reader finds a row; 0: none */
byte committed;

/* One event in a row that is there. */
inline change(n) {
    touched[AT(n)] = transaction;
    first[AT(n)] = first[AT(n)] + 1;
    second[AT(n)] = second[AT(n)] + 1
}

/* A row without events yet. */
inline make() {
    before = newest;
    touched[AT(head)] = transaction;
    first[AT(head)] = head * 10;
    second[AT(head)] = head * 10;
    head++;
    newest = head - 1
}

proctype owner() {
    byte made, before, transaction = 1;
    do
    :: made < ROWS ->
        /* a new row, with its first event */
#ifdef LATE_TAIL
        first[AT(head)] = head * 10;
#endif
        if
        :: head - tail == ROOM -> tail++
        :: else
        fi;
        if
        :: make(); head--; newest = before /* it turns out not to be one for this report, and is put back */
        :: true
        fi;
        make();
        first[AT(head - 1)] = (head - 1) * 10 + 1;
        second[AT(head - 1)] = (head - 1) * 10 + 1;
        committed = transaction;
        transaction++;
        made++;
        /* and another event, or none, in a row that is still there */
        if
        :: change(head - 1); committed = transaction; transaction++
        :: head - tail == ROOM -> change(tail); committed = transaction; transaction++
        :: true
        fi
    :: else -> break
    od
}

proctype reader() {
    byte number, before, a, b, looks;
    (newest != 0);
    number = newest; /* it may be a while until the row is read */
    do
    :: looks < 3 ->
        looks++;
        before = touched[AT(number)];
#ifndef NO_COMMIT_LOOK
        if
        :: before > committed -> goto again
        :: else
        fi;
#endif
        a = first[AT(number)];
        b = second[AT(number)];
#ifndef NO_SECOND_LOOK
        if
        :: touched[AT(number)] != before -> goto again
        :: else
        fi;
#endif
#ifndef NO_TAIL_LOOK
        if
        :: tail > number -> goto gone
        :: else
        fi;
#endif
        assert(a == b);          /* of one transaction */
        assert(a / 10 == number); /* of that row */
        /* a row without events, which was put back, is given to nobody */
        goto gone;
again:
        skip
    :: else -> break
    od;
gone:
    skip
}

init {
    atomic {
        run owner();
        run reader()
    }
}
